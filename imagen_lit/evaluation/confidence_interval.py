"""How certain a proportion is: Wilson's interval, and the table row of each category of prompts.

The number of right images is binomial. Wilson's interval (Wilson 1927) inverts the score test, so
it stays within [0, 1] and keeps its width when no image, or every image, is right.
"""

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

from imagen_lit.basics.errors import InputError


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


def summary(
    results: Iterable[tuple[str, Mapping[str, bool | None]]], confidence: float = 0.95
) -> dict[str, dict]:
    """Rows by category, and one for "all", from (category, `reader.matches(...)`) pairs.

    A row holds `n`, `exact` with its `interval`, and for each other property its share right among
    the prompts that mention it: None if no prompt of the category does.
    """
    groups: dict[str, list[Mapping[str, bool | None]]] = {}
    everything: list[Mapping[str, bool | None]] = []
    for category, answers in results:
        groups.setdefault(category, []).append(answers)
        everything.append(answers)
    if not everything:
        raise InputError("there are no results to summarise. Score at least one image first.")
    if "all" in groups:
        raise InputError('a category is named "all", like the total. Rename the category.')
    rows = groups | {"all": everything}
    return {category: row(answers, confidence) for category, answers in rows.items()}


def row(answers: list[Mapping[str, bool | None]], confidence: float) -> dict:
    """One category's row."""
    right = sum(bool(answer["exact"]) for answer in answers)
    exact = {"exact": right / len(answers), "interval": wilson(right, len(answers), confidence)}
    others = [name for name in answers[0] if name != "exact"]
    return {"n": len(answers)} | exact | {name: share(answers, name) for name in others}


def share(answers: list[Mapping[str, bool | None]], name: str) -> float | None:
    """The share of True among the answers that are not None."""
    values = [value for answer in answers if (value := answer[name]) is not None]
    return sum(values) / len(values) if values else None
