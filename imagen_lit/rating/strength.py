"""How strong each of three systems or more is, from votes on pairs: Bradley–Terry with ties.

The chance of a tie goes with the root of the product of both strengths (Davidson 1970), fitted by
Newman's (2023) algorithm in evalica. One tie is added to each pair that met, so that a system that
never lost has a finite strength. The interval resamples raters and prompts, each by themselves
(Owen 2007, the pigeonhole bootstrap), which is wider than need be rather than narrower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imagen_lit.rating.ballot import Ballot

RESAMPLES = 400
ITERATIONS = 2000
TIES = 1.0  # added to each pair


@dataclass(frozen=True)
class Strength:
    """The logarithm, 0 in the mean of all systems; `chance` to be preferred to such a mean one."""

    question: str
    system: str
    value: float
    interval: tuple[float, float]

    @property
    def chance(self) -> float:
        """Where one of the two is preferred."""
        return 1 / (1 + math.exp(-self.value))


def strengths(
    ballots: Sequence[Ballot], seed: int = 0, resamples: int = RESAMPLES
) -> list[Strength]:
    """For each question about pairs, the systems from the strongest; none of fewer than three."""
    groups: dict[str, list[Ballot]] = {}
    for each in ballots:
        if each.subject == "pair" and not each.is_control:
            groups.setdefault(each.question, []).append(each)
    return [
        strength
        for question, group in groups.items()
        if len({system for each in group for system in each.systems}) > 2
        for strength in _of_question(question, group, seed, resamples)
    ]


def _of_question(
    question: str, group: Sequence[Ballot], seed: int, resamples: int
) -> list[Strength]:
    outcomes = [(*each.systems, each.value) for each in group]
    raters, prompts = _numbers([e.rater for e in group]), _numbers([e.prompt for e in group])
    kinds = list(dict.fromkeys(outcomes))
    places = np.array([kinds.index(outcome) for outcome in outcomes])
    best = _fit(kinds, np.bincount(places, minlength=len(kinds)))
    draw = np.random.default_rng(seed)
    fits = []
    for _ in range(resamples):
        weights = _multiplicities(draw, raters) * _multiplicities(draw, prompts)
        fits.append(_fit(kinds, np.bincount(places, weights, len(kinds))))
    ends = {system: np.quantile([each[system] for each in fits], [0.025, 0.975]) for system in best}
    ordered = sorted(best, key=lambda system: -best[system])
    return [
        Strength(question, each, best[each], (float(ends[each][0]), float(ends[each][1])))
        for each in ordered
    ]


def _numbers(names: Sequence[object]) -> np.ndarray:
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names])


def _multiplicities(draw: np.random.Generator, numbers: np.ndarray) -> np.ndarray:
    """How often each vote's rater, or prompt, is drawn when as many are drawn with replacement."""
    count = int(numbers.max()) + 1
    return np.bincount(draw.integers(count, size=count), minlength=count)[numbers]


def _fit(kinds: Sequence[tuple], weights: np.ndarray) -> dict[str, float]:
    """Log-strengths for so many votes of each kind (first system, second, the first's value)."""
    import evalica  # it only comes with the extra `rate`

    pairs = list(dict.fromkeys(kind[:2] for kind in kinds))
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    scores = evalica.newman(
        [first for first, *_ in (*kinds, *pairs)],
        [second for _, second, *_ in (*kinds, *pairs)],
        [winner[value] for *_, value in kinds] + [evalica.Winner.Draw] * len(pairs),
        weights=[*weights.astype(float), *[TIES] * len(pairs)],
        limit=ITERATIONS,
    ).scores
    logs = {str(system): math.log(score) for system, score in scores.items()}
    mean = sum(logs.values()) / len(logs)
    return {system: value - mean for system, value in logs.items()}
