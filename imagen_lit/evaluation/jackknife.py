"""The interval of a number of many images that takes no image twice: the jackknife (Tukey 1958)
over blocks of prompts (Shao and Tu 1995, section 2.3).

A bootstrap's copies of images would distort recall and coverage, whose neighbours they become. To
leave out one block at a time distorts little, and costs as many numbers as there are blocks. It
counts twice what two blocks do together, which makes intervals too wide (Efron & Stein 1981): where
that is known, it is subtracted, as in `distance_interval`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from imagen_lit.basics.arguments import whole_number
from imagen_lit.evaluation.bootstrap import CONFIDENCE, Interval, finite

BLOCKS = 50


def blocks_of(members: NDArray[np.intp], seed: int = 0, blocks: int = BLOCKS) -> NDArray[np.intp]:
    """The block of each image: prompts are dealt out evenly, one to a block where there are few."""
    count = int(members.max()) + 1
    dealt = np.arange(count) % min(whole_number("blocks", blocks, 2), count)
    return np.random.default_rng(seed).permutation(dealt)[members]


def interval(
    value: float, left_out: ArrayLike, pairs: NDArray[np.float64] | None = None
) -> Interval | None:
    """The interval of a number, from those that it would be without each block in turn. None where
    these do not differ.

    `pairs[i, j]`: the number, less what it is without block i and without j, and what it is without
    both. At most half of the variance can be theirs, where no more than two blocks act together.
    """
    numbers = finite(left_out)
    count = len(numbers)
    if count < 2 or np.ptp(numbers) == 0:
        return None
    variance = (count - 1) * float(numbers.var())
    if pairs is not None and count > 2:
        variance = max(variance - _variance_of_pairs(pairs), variance / 2)
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * math.sqrt(variance)
    return value - reach, value + reach


def _variance_of_pairs(pairs: NDArray[np.float64]) -> float:
    """Of what is left of each pair without the means of its two blocks (Hoeffding 1948)."""
    count = len(pairs)
    above = np.triu_indices(count, 1)
    mean = pairs[above].mean()
    own = (pairs.sum(axis=1) - pairs.diagonal()) / (count - 1) - mean
    own *= (count - 1) / (count - 2)
    rest = pairs - mean - own[:, None] - own
    return float((rest[above] ** 2).sum())
