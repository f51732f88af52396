"""FD∞: the Fréchet distance that infinitely many images would have (Chong & Forsyth 2020, § 4).

The bias of FD is nearly a multiple of 1/n. FD is computed on random subsets of several sizes, and a
line through it over 1/n is followed to 1/n = 0. The reference's own finite size stays in it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.distance_interval import Estimate
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics import frechet
from imagen_lit.metrics.distance_score import distance_score
from imagen_lit.metrics.fd import GaussianReference
from imagen_lit.metrics.feature_distance import FeatureDistance
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.frechet_curvature import FrechetCurvature
from imagen_lit.metrics.published_gaussian import PublishedGaussian
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import require_reference


def extrapolate(
    features: np.ndarray, reference: Gaussian, smallest: int, points: int, seed: int
) -> Estimate:
    """The intercept, which may be negative, with the images' influence on it.

    `points` subsets of evenly spread sizes, from `smallest` to all, are drawn without replacement,
    each by itself. The intercept is a weighted sum of their distances, to each of which an image
    adds what it adds to the distance of all, as often as it is in the subset.
    """
    count = len(features)
    sizes = np.linspace(smallest, count, points).round().astype(int)
    rng, distances, is_in = np.random.default_rng(seed), [], np.zeros((points, count), bool)
    for row, size in zip(is_in, sizes, strict=True):
        row[rng.choice(count, size, replace=False)] = True
        distances.append(frechet.distance(frechet.fit(features[row]), reference))
    line = np.stack([np.ones(points), 1 / sizes], axis=1)
    weights = np.linalg.pinv(line)[0]  # of the intercept
    value = float(weights @ [result.value for result in distances])
    of_all = frechet.influence(features, distances[-1])  # the last subset is all of them
    curvature = FrechetCurvature(features, distances[-1])

    def pair_influence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        common = (count / sizes) ** 2 * weights @ (is_in[:, first] & is_in[:, second])
        return common * curvature(first, second)

    return Estimate(value, of_all * (count * (weights / sizes) @ is_in), pair_influence, None)


@dataclass(frozen=True)
class FDInfinity(FeatureDistance):
    """Smaller is better; may fall below 0 where FD is within its own noise of 0."""

    name = "fd_infinity"
    numbers = ("fd_infinity",)
    smallest: int = 5000
    points: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        arguments.whole_numbers(vars(self), smallest=2, points=3, seed=0)

    def facts(self) -> dict[str, Any]:
        """With the sizes and the seed of the subsets."""
        constants = {"smallest": self.smallest, "points": self.points, "seed": self.seed}
        return {"name": self.name, **constants, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: GaussianReference | None) -> None:
        """Raise if these images could get no score."""
        real = require_reference(self.name, reference)
        if isinstance(real, PublishedGaussian):
            real.require_width(self.extractor)
        if not self.extractor.width < self.smallest <= len(sample) // 2:
            raise InputError(
                f"{self.name} cannot begin with subsets of {self.smallest} of {len(sample)} images "
                f"in {self.extractor.width} dimensions: they need more images than dimensions, and "
                "at most half of all, or there is no line to follow. Set smallest between them, or "
                "give more images."
            )

    def scores(self, sample: Sample, reference: GaussianReference | None) -> list[Score]:
        """One."""
        real = require_reference(self.name, reference)
        features = np.asarray(sample.features(self.extractor))
        estimate = extrapolate(
            features, real.gaussian(self.extractor), self.smallest, self.points, self.seed
        )
        return [distance_score(self, self.name, estimate, sample, real)]
