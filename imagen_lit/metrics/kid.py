"""KID: the squared maximum mean discrepancy with the kernel (xᵀy/d + 1)³ (Bińkowski et al. 2018,
§ 4), unbiased, as the mean over random subsets.

Its expectation depends on neither number of images, so that it is the distance for few of them. The
spread over subsets that others print beside it is no error: they share their images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.distance_interval import Estimate, PairInfluence
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.distance_score import distance_score
from imagen_lit.metrics.feature_distance import FeatureDistance
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import require_images, require_reference

MEAN_OVER = 1000  # images


def cubic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The kernel of each pair of rows."""
    near = x @ y.T / x.shape[1] + 1
    return near * near * near  # ** 3 takes twenty times as long


def discrepancy(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, float]:
    """The unbiased estimate (Gretton et al. 2012, eq. 3), x's influence values on it, and the
    biased estimate (eq. 5)."""
    n, m = len(x), len(y)
    within, other, across = cubic(x, x), cubic(y, y), cubic(x, y)
    near = (within.sum(axis=1) - within.diagonal()) / (n - 1)
    real = (other.sum() - other.trace()) / (m * (m - 1))
    influence = 2 * (near - across.mean(axis=1))
    value = float(near.mean() + real - 2 * across.mean())
    biased = float(within.mean() + other.mean() - 2 * across.mean())
    return value, influence - influence.mean(), biased


def kid(x: np.ndarray, y: np.ndarray, subsets: int, size: int, seed: int) -> Estimate:
    """The mean over `subsets` seeded draws of `size` rows of each."""
    rng, values, influence = np.random.default_rng(seed), [], np.zeros(len(x))
    is_in = np.zeros((subsets, len(x)), bool)
    for row in is_in:
        own, others = (rng.choice(len(rows), size, replace=False) for rows in (x, y))
        value, part, square = discrepancy(x[own].astype(np.float64), y[others].astype(np.float64))
        values.append((value, square))
        influence[own] += part * len(x) / (size * subsets)
        row[own] = True
    value, square = np.mean(values, axis=0).tolist()
    return Estimate(value, influence, _pair_influence(x, is_in, rng), square)


def _pair_influence(x: np.ndarray, is_in: np.ndarray, rng: np.random.Generator) -> PairInfluence:
    """Twice the kernel less its means, for a pair that is in one subset or more; an image is no
    pair with itself. The means are over at most `MEAN_OVER` images."""
    subsets, n = is_in.shape
    size = int(is_in[0].sum())
    weight = 2 * n**2 / (subsets * size * (size - 1))
    some = x[rng.choice(n, min(n, MEAN_OVER), replace=False)].astype(np.float64)
    mean = cubic(some, some).mean()

    def pair_influence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        common = (is_in[:, first] & is_in[:, second]).sum(axis=0) * (first != second)
        values, chosen = np.zeros(len(first)), np.flatnonzero(common)
        pairs = np.stack([first[chosen], second[chosen]])
        images, (one, other) = np.unique(pairs, return_inverse=True)
        rows = x[images].astype(np.float64)
        means = cubic(rows, some).mean(axis=1)
        kernel = ((rows[one] * rows[other]).sum(axis=1) / x.shape[1] + 1) ** 3
        values[chosen] = weight * common[chosen] * (kernel - means[one] - means[other] + mean)
        return values

    return pair_influence


@dataclass(frozen=True)
class KID(FeatureDistance):
    """Smaller is better; may fall below 0 where the images are like the reference."""

    name = "kid"
    numbers = ("kid",)
    subsets: int = 100
    subset_size: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        arguments.whole_numbers(vars(self), subsets=1, subset_size=2, seed=0)

    def facts(self) -> dict[str, Any]:
        """With the number, the size and the seed of the subsets."""
        draws = {"subsets": self.subsets, "subset_size": self.subset_size, "seed": self.seed}
        kernel = {"kernel": "(x.y / width + 1)^3"}
        return {"name": self.name, **kernel, **draws, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        real = require_images(self.name, reference)
        if min(len(sample), len(real)) < self.subset_size:
            raise InputError(
                f"{self.name} draws subsets of {self.subset_size} from {len(sample)} images and "
                f"{len(real)} of the reference. Set metrics.kid.subset_size="
                f"{min(len(sample), len(real))} or less, or give more images."
            )

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """One."""
        real = require_reference(self.name, reference)
        x, y = self.vectors(sample, real)
        estimate = kid(x, y, self.subsets, self.subset_size, self.seed)
        return [distance_score(self, self.name, estimate, sample, real)]
