"""How sure a number is that was computed from images: the bootstrap (Efron 1979) over prompts.

Images of one prompt are alike, so whole prompts are drawn again, each with all of its images; the
spread of the numbers so obtained stands for that of another choice of prompts. Where every image
has a prompt of its own, this is the bootstrap over images. All intervals have 95 % confidence, and
the same seed gives the same interval.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from imagen_lit.basics.errors import InputError

Interval = tuple[float, float]
Numbers = NDArray[np.float64]

CONFIDENCE, RESAMPLES = 0.95, 2000
CELLS = 2**20  # numbers in memory at once
FEWEST = 200  # resamples; with less, the ends of an interval are those of single resamples
FEW = 8  # prompts; with fewer, the bootstrap of a normal mean holds the truth too seldom


def mean_interval(
    values: ArrayLike,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval | None:
    """The interval of the mean over all images, where `groups[i]` is the prompt of image i.

    BCa (Efron 1987), whose correction for skewness is that of the mean's influence function. A few
    prompts drawn again are mostly the same few means, which lie too close together: there it is
    Student's interval. None where the values cannot tell: a single prompt, or prompts that all have
    the same mean.
    """
    numbers = finite(values)
    members = members_of(np.arange(len(numbers)) if groups is None else groups, len(numbers))
    sizes = np.bincount(members).astype(float)
    sums = np.bincount(members, numbers)
    mean = sums.sum() / sizes.sum()
    influence = sums - mean * sizes
    if len(sizes) < 2 or np.ptp(sums / sizes) <= 1e-12 * np.abs(numbers).max():
        return None
    if len(sizes) < FEW:
        return _student(float(mean), influence / sizes.mean())
    rows = max(1, CELLS // len(sizes))
    generator, parts = np.random.default_rng(seed), []
    for start in range(0, _enough(resamples), rows):
        shape = min(rows, resamples - start), len(sizes)
        chosen = generator.integers(len(sizes), size=shape)
        parts.append(sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1))
    draws = np.concatenate(parts)
    skew = float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
    below = float(((draws < mean).mean() + (draws <= mean).mean()) / 2)
    below = min(max(below, 1 / resamples), 1 - 1 / resamples)
    return _ends(draws, len(sizes), float(stats.norm.ppf(below)), skew)


def method(prompts: int) -> str:
    """What `mean_interval` does with so many prompts."""
    return "bootstrap" if prompts >= FEW else "Student's t"


def finite(values: ArrayLike) -> Numbers:
    """The values as a row of numbers; raises where there are none, or one is not finite."""
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or not numbers.size:
        raise InputError(
            f"an array of shape {numbers.shape} is no row of values. Give at least one value."
        )
    if not np.isfinite(numbers).all():
        place = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise InputError(
            f"value {place} is {numbers[place]}, and no interval holds it. "
            "Leave out what could not be measured."
        )
    return numbers


def members_of(groups: Sequence[Any] | NDArray[Any], count: int) -> NDArray[np.intp]:
    """The group of each image, counted from 0."""
    if len(groups) != count or not count:
        raise InputError(
            f"there are {count} values and {len(groups)} groups. Give the prompt of each value."
        )
    return np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)


def _enough(resamples: int) -> int:
    if resamples < FEWEST:
        raise InputError(
            f"{resamples} resamples are too few for an interval of 95 %. Set {FEWEST} or more."
        )
    return resamples


def _student(mean: float, influence: Numbers) -> Interval:
    freedom = len(influence) - 1
    error = float(np.sqrt((influence**2).sum() / (freedom * (freedom + 1))))
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * error
    return mean - reach, mean + reach


def _ends(draws: Numbers, count: int, bias: float, skew: float) -> Interval:
    """The quantiles of `draws` that BCa takes, with the normal deviate widened for `count` groups
    (Hesterberg 2015, section 4.4): a resample's spread is too small by (count - 1) / count, and is
    itself uncertain, as Student's t allows for."""
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * np.sqrt(count / (count - 1))
    deviate = np.array([-reach, reach]) + bias
    places = stats.norm.cdf(bias + deviate / (1 - skew * deviate))
    low, high = np.quantile(draws, places)
    return float(low), float(high)
