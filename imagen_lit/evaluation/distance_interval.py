"""The interval of a squared distance between images and a reference that is fixed: FD, KID, CMMD.

To second order such a statistic is a sum over images and pairs of images (von Mises 1947; Hoeffding
1948):

    D = d + sum_i a(x_i) / n + sum_ij b(x_i, x_j) / 2n²

What can be computed is the influence at the images that are there, a(x_i) + sum_j b(x_i, x_j) / n.
It has each pair twice as often as D does, so that its variance, the infinitesimal jackknife's, is
too large (Efron & Stein 1981): where images are like the reference, a = 0, it is twice the true
one. Here half of the pairs within each prompt leave its influence, and the variance of pairs of
different prompts is subtracted. The truth that the interval holds is the mean of D over samples of
this size.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from imagen_lit.evaluation.bootstrap import CONFIDENCE, Interval, Numbers, members_of

Indices = NDArray[np.intp]
PairInfluence = Callable[[Indices, Indices], Numbers]  # b(x_i, x_j) for images i and images j

PROMPT_PAIRS = 2048  # drawn by chance where there are more; their variance is then known to 10 %
IMAGES = 8  # of a prompt that are paired: with more of them the interval is somewhat too wide
AT_ONCE = 2048  # pairs of images in memory
LEAST = 0.25  # of the pairs' variance that is left in any case, where chance would leave less


class Estimate(NamedTuple):
    """A squared distance, with each image's influence on it and that of pairs. `square` is its
    biased form, which is never negative; None where there is no such form."""

    value: float
    influence: Numbers
    pair_influence: PairInfluence
    square: float | None


class Influences(NamedTuple):
    """`images` has that of each image, with mean 0 and each pair within a prompt counted once;
    `pairs` the sum over the images of two prompts, for the prompts that `prompt_pairs` draws."""

    images: Numbers
    pairs: Numbers

    def variances(self, groups: Sequence[Any] | NDArray[Any]) -> tuple[float, float]:
        """Of D: what the prompts' influences say, and the pairs' part, which is in it twice."""
        members = members_of(groups, len(self.images))
        n, prompts = len(members), int(members.max()) + 1
        sums = np.bincount(members, self.images)
        first = float((sums**2).sum()) / n**2 * prompts / (prompts - 1)
        second = float((self.pairs**2).mean()) * prompts * (prompts - 1) / (2 * n**4)
        return first, second


def influences(
    images: Numbers, pair_influence: PairInfluence, groups: Sequence[Any] | NDArray[Any]
) -> Influences | None:
    """From the influence of each image at the images that are there; `groups[i]` is the prompt of
    image i. None for a single prompt."""
    members = members_of(groups, len(images))
    sizes, order = np.bincount(members), np.argsort(members, kind="stable")
    if len(sizes) < 2:
        return None
    starts = np.cumsum(sizes) - sizes
    paired = np.minimum(sizes, IMAGES)

    # Each image with itself and the next of its prompt, around the circle.
    group = members[order]
    image, turn = _ramps(paired[group])
    partner = starts[group[image]] + (image - starts[group[image]] + turn) % sizes[group[image]]
    values = _in_parts(pair_influence, order[image], order[partner])
    within = np.bincount(order[image], values, minlength=len(images))
    first_order = images - within / (2 * len(images))

    # The first images of one prompt with the first of another.
    one, other = prompt_pairs(len(sizes))
    number, turn = _ramps(paired[one] * paired[other])
    first = order[starts[one[number]] + turn // paired[other[number]]]
    second = order[starts[other[number]] + turn % paired[other[number]]]
    sums = np.bincount(number, _in_parts(pair_influence, first, second))
    return Influences(first_order - first_order.mean(), sums.astype(np.float64))


def distance_interval(
    value: float, square: float | None, own: Influences, groups: Sequence[Any] | NDArray[Any]
) -> Interval | None:
    """The interval of an `Estimate`. None where the images do not tell.

    The noise of a squared distance grows with the distance: its square root has about the same
    noise everywhere. The truth is whatever differs from `value` by no more than the noise that it
    would have itself, as in the interval of a share (Wilson 1927).
    """
    if square is None or square <= 0:
        return difference_interval(value, own, groups)
    first, second = own.variances(groups)
    if first <= 0:
        return None
    reach = _deviate(groups)
    shift = reach**2 * first / (2 * square)
    half = math.sqrt(reach**2 * max(first - second, LEAST * second) + shift**2)
    return value + shift - half, value + shift + half


def difference_interval(
    value: float, own: Influences, groups: Sequence[Any] | NDArray[Any]
) -> Interval | None:
    """The interval of what may have either sign: the difference of two distances, whose influences
    are the differences of theirs, or a distance that is extrapolated."""
    first, second = own.variances(groups)
    if first <= 0:
        return None
    half = _deviate(groups) * math.sqrt(max(first - second, second))
    return value - half, value + half


def prompt_pairs(prompts: int) -> tuple[Indices, Indices]:
    """Pairs of different prompts: all, or as many as need be, the same for the same number."""
    if prompts * (prompts - 1) // 2 <= PROMPT_PAIRS:
        return np.triu_indices(prompts, 1)
    rng = np.random.default_rng(prompts)
    one = rng.integers(prompts, size=PROMPT_PAIRS)
    return one, (one + rng.integers(1, prompts, size=PROMPT_PAIRS)) % prompts


def _deviate(groups: Sequence[Any] | NDArray[Any]) -> float:
    freedom = int(members_of(groups, len(groups)).max())
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))


def _ramps(lengths: Indices) -> tuple[Indices, Indices]:
    """For lengths 2, 3: (0, 0, 1, 1, 1) and (0, 1, 0, 1, 2)."""
    number = np.repeat(np.arange(len(lengths)), lengths)
    return number, np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _in_parts(pair_influence: PairInfluence, first: Indices, second: Indices) -> Numbers:
    parts = [slice(start, start + AT_ONCE) for start in range(0, len(first), AT_ONCE)]
    return np.concatenate([pair_influence(first[part], second[part]) for part in parts])
