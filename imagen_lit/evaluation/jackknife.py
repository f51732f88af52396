"""The interval of a number of many images that takes no image twice: the jackknife (Tukey 1958)
over blocks of prompts (Shao and Tu 1995, section 2.3).

A bootstrap's copies of images would distort recall and coverage, whose neighbours they become. To
leave out one block at a time distorts little, and costs as many numbers as there are blocks.
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


def interval(value: float, left_out: ArrayLike) -> Interval | None:
    """The interval of a number, from those that it would be without each block in turn. None where
    these do not differ."""
    numbers = finite(left_out)
    count = len(numbers)
    if count < 2 or np.ptp(numbers) == 0:
        return None
    error = math.sqrt((count - 1) * numbers.var())
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * error
    return value - reach, value + reach
