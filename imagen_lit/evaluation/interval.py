"""How sure a proportion is: Wilson's interval, and the table row of each category of prompts.

A share of right pictures is a coin's frequency. Wilson's interval (Wilson 1927) inverts the score
test, hence it stays within [0, 1] and keeps its width where nothing, or everything, was right.
"""

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval in which the true proportion lies with this confidence."""
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"found {successes} successes in {trials} trials: expected at least one trial, "
            "and no more successes than trials"
        )
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, shrink = successes / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / shrink
    reach = z / shrink * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    low = 0.0 if successes == 0 else middle - reach  # exact at the ends, where rounding is not
    high = 1.0 if successes == trials else middle + reach
    return low, high


def summary(
    results: Iterable[tuple[str, Mapping[str, bool | None]]], confidence: float = 0.95
) -> dict[str, dict]:
    """Rows by category, and one for "all", from (category, `alignment.matches(...)`) pairs.

    A row holds `n`, `exact` with its `interval`, and the share of each other answer among the
    prompts that ask for it: None where no prompt of the category does.
    """
    groups: dict[str, list[Mapping[str, bool | None]]] = {}
    everything: list[Mapping[str, bool | None]] = []
    for category, answers in results:
        groups.setdefault(category, []).append(answers)
        everything.append(answers)
    if not everything:
        raise ValueError("found no results to sum up: score at least one picture first")
    if "all" in groups:
        raise ValueError('found a category named "all", which names the sum: rename it')
    rows = groups | {"all": everything}
    return {category: row(answers, confidence) for category, answers in rows.items()}


def row(answers: list[Mapping[str, bool | None]], confidence: float) -> dict:
    """One category's row."""
    right = sum(bool(answer["exact"]) for answer in answers)
    exact = {"exact": right / len(answers), "interval": wilson(right, len(answers), confidence)}
    others = [name for name in answers[0] if name != "exact"]
    return {"n": len(answers)} | exact | {name: share(answers, name) for name in others}


def share(answers: list[Mapping[str, bool | None]], name: str) -> float | None:
    """The share of yes among the answers that were asked for."""
    asked = [said for answer in answers if (said := answer[name]) is not None]
    return sum(asked) / len(asked) if asked else None
