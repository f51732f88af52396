"""The interval of a number of many images that takes no image twice: the jackknife (Tukey 1958)
over blocks of prompts (Shao and Tu 1995, section 2.3).

A bootstrap's copies of images distort a Fréchet distance, KID or recall, whose neighbours they
become; its intervals are up to twice too wide where there are few images for their dimensions. To
leave out one block at a time distorts little, and costs as many numbers as there are blocks.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from imagen_lit.basics.arguments import whole_number
from imagen_lit.evaluation.bootstrap import CONFIDENCE, Interval, finite, members_of

BLOCKS = 50


def statistic_interval(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[Any] | NDArray[Any],
    seed: int = 0,
    blocks: int = BLOCKS,
) -> Interval | None:
    """The interval of `statistic(indices)` at this number of images; `groups[i]` is the prompt of
    image i, and the seed deals prompts out to blocks. None where there is a single prompt."""
    members = members_of(groups, len(groups))
    of_image = blocks_of(members, seed, blocks)
    left_out = [
        statistic(np.flatnonzero(of_image != block)) for block in range(int(of_image.max()) + 1)
    ]
    return interval(float(statistic(np.arange(len(members)))), left_out)


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
