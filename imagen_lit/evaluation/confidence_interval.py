"""How certain a proportion is: Wilson's interval, and the table row of each category of prompts.
Where prompts have several images each, which are alike, they are drawn again together.

The number of right images is binomial. Wilson's interval (Wilson 1927) inverts the score test, so
it stays within [0, 1] and keeps its width when no image, or every image, is right.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation import bootstrap
from imagen_lit.evaluation.bootstrap import mean_interval

Answers = Mapping[str, bool | None]  # `reader.matches(...)`


class ShareInterval(NamedTuple):
    """An interval of 95 %, and how it was made."""

    ends: tuple[float, float]
    method: str


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which the true proportion lies with this confidence."""
    if not 0 <= successes <= trials or trials == 0:
        raise InputError(
            f"{successes} successes in {trials} trials are not a proportion. "
            "Give at least one trial, and no more successes than trials."
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, shrink = successes / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    low = 0.0 if successes == 0 else middle - reach  # exact at the ends, despite rounding
    high = 1.0 if successes == trials else middle + reach
    return low, high


def share_interval(right: Sequence[bool], prompts: Sequence[Hashable]) -> ShareInterval:
    """That of the share of right images, where `prompts[i]` is the prompt of image i: Wilson's, or
    that of a mean over prompts where one has several images. Where those tell nothing, Wilson's for
    an image a prompt."""
    count = len(set(prompts))
    if count == len(right):
        return ShareInterval(wilson(sum(right), count), f"Wilson over {quantity(count, 'image')}")
    numbers = [float(each) for each in right]
    if (ends := mean_interval(numbers, prompts)) is None:
        successes = round(sum(numbers) / len(numbers) * count)
        return ShareInterval(wilson(successes, count), f"Wilson over {quantity(count, 'prompt')}")
    within = max(ends[0], 0.0), min(ends[1], 1.0)
    return ShareInterval(within, f"{bootstrap.method(count)} over {quantity(count, 'prompt')}")


def summary(results: Iterable[tuple[str, Hashable, Answers]]) -> dict[str, dict]:
    """Rows by category, and one for "all", from (category, prompt, answers).

    A row holds `n`, `exact` with its `interval`, and for each other property its share right among
    the prompts that mention it: None if no prompt of the category does.
    """
    groups: dict[str, list[tuple[Hashable, Answers]]] = {}
    everything: list[tuple[Hashable, Answers]] = []
    for category, prompt, answers in results:
        groups.setdefault(category, []).append((prompt, answers))
        everything.append((prompt, answers))
    if not everything:
        raise InputError("there are no results to summarise. Score at least one image first.")
    if "all" in groups:
        raise InputError('a category is named "all", like the total. Rename the category.')
    rows = groups | {"all": everything}
    return {category: row(*zip(*pairs, strict=True)) for category, pairs in rows.items()}


def row(prompts: Sequence[Hashable], answers: Sequence[Answers]) -> dict:
    """One category's row."""
    right = [bool(answer["exact"]) for answer in answers]
    exact = {"exact": sum(right) / len(right), "interval": share_interval(right, prompts).ends}
    others = [name for name in answers[0] if name != "exact"]
    return {"n": len(answers)} | exact | {name: share(answers, name) for name in others}


def share(answers: Sequence[Answers], name: str) -> float | None:
    """The share of True among the answers that are not None."""
    values = [value for answer in answers if (value := answer[name]) is not None]
    return sum(values) / len(values) if values else None
