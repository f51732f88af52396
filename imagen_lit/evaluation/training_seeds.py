"""How far a score moves when the network is trained again with another seed.

Training again moves a Fréchet distance several times more than drawing again, so that the interval
of a single training says nothing about its recipe: the spread over trainings is kept apart, and
recipes ("arms") are compared over it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtr, stdtrit  # of Student's t; scipy.stats takes a second

from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation.bootstrap import CONFIDENCE, Interval, finite
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.protocol import Protocol, refuse_other
from imagen_lit.evaluation.variance_components import variance_components


@dataclass(frozen=True)
class TrainingSpread:
    """The mean over trainings with its interval (None for a single training), and the standard
    deviations over trainings and over drawing again; None where they cannot be told apart."""

    mean: float
    interval: Interval | None
    over_trainings: float | None
    over_samples: float | None
    trainings: int

    @property
    def variation(self) -> float | None:
        """The coefficient of variation over trainings, which a plan needs."""
        if self.over_trainings is None or self.mean == 0:
            return None
        return self.over_trainings / abs(self.mean)


def training_spread(scores: Sequence[Sequence[float]]) -> TrainingSpread:
    """`scores[training]` holds the scores of this training, one for each time it was drawn from."""
    parts = variance_components(scores)
    means = np.array([np.mean(row) for row in scores])
    interval = None
    if len(means) > 1 and np.ptp(means) > 0:
        reach = _t(len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
        interval = float(means.mean() - reach), float(means.mean() + reach)
    return TrainingSpread(float(means.mean()), interval, parts.between, parts.within, len(means))


@dataclass(frozen=True)
class Arm:
    """A recipe, with a score of each of its trainings."""

    name: str
    scores: Sequence[float]
    protocol: Protocol = field(repr=False)


def arm_difference(first: Arm, second: Arm, is_higher_better: bool) -> Difference:
    """`second` minus `first`, by Student's t with the spread that both arms share."""
    refuse_other(first.protocol, second.protocol, "a difference")
    one, two = finite(first.scores), finite(second.scores)
    freedom = len(one) + len(two) - 2
    method = (
        f"t over {quantity(len(one), 'training')} of {first.name} and {len(two)} of {second.name}"
    )
    squares = ((one - one.mean()) ** 2).sum() + ((two - two.mean()) ** 2).sum()
    if freedom == 0 or squares == 0:
        interval, chance = None, None
    else:
        error = math.sqrt(squares / freedom * (1 / len(one) + 1 / len(two)))
        value = two.mean() - one.mean()
        reach = _t(freedom) * error
        interval = float(value - reach), float(value + reach)
        chance = float(2 * stdtr(freedom, -abs(value / error)))
    return Difference(
        first.name,
        second.name,
        float(two.mean() - one.mean()),
        interval,
        chance,
        len(one) + len(two),
        method,
        is_higher_better,
    )


def _t(freedom: int) -> float:
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2))
