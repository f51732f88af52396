"""CMMD: the squared maximum mean discrepancy of normalised CLIP vectors with a Gaussian kernel,
times 1,000 (Jayasumana et al. 2024).

As its authors compute it: sigma is 10 for vectors of length 1, and the sums include each vector's
kernel with itself. This V-statistic is biased upwards, by about (1 − mean kernel)/n for each set,
so values of different numbers of images are no more comparable than those of FD.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.evaluation.distance_interval import Estimate
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.cosine import unit
from imagen_lit.metrics.distance_score import distance_score
from imagen_lit.metrics.feature_distance import FeatureDistance
from imagen_lit.metrics.neighbours import chunks, squared_distances
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import require_reference


def mean_kernels(x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """For each row of x, the mean of exp(−|x − y|² / 2σ²) over all rows of y."""
    exponents = (squared_distances(x[rows], y) / (-2 * sigma**2) for rows in chunks(len(x)))
    return np.concatenate([np.exp(each).mean(axis=1) for each in exponents])


def cmmd(x: np.ndarray, y: np.ndarray, sigma: float, scale: float) -> Estimate:
    """The biased estimate (Gretton et al. 2012, eq. 5) times `scale`."""
    x, y = unit(x), unit(y)
    within, across = mean_kernels(x, x, sigma), mean_kernels(x, y, sigma)
    value = scale * float(within.mean() + mean_kernels(y, y, sigma).mean() - 2 * across.mean())
    influence = 2 * scale * (within - across)

    def pair_influence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Twice the kernel less its means; an image is a pair with itself, too."""
        kernel = np.exp(((x[first] - x[second]) ** 2).sum(axis=1) / (-2 * sigma**2))
        return 2 * scale * (kernel - within[first] - within[second] + within.mean())

    return Estimate(value, influence - influence.mean(), pair_influence, value)


@dataclass(frozen=True)
class CMMD(FeatureDistance):
    """Smaller is better."""

    name = "cmmd"
    numbers = ("cmmd",)
    sigma: float = 10.0
    scale: float = 1000.0

    def __post_init__(self) -> None:
        arguments.positive_number("sigma", self.sigma)
        arguments.positive_number("scale", self.scale)

    def facts(self) -> dict[str, Any]:
        """With sigma, scale, and the form of the estimate."""
        form = {"sigma": self.sigma, "scale": self.scale, "estimate": "V-statistic, biased"}
        return {"name": self.name, **form, "extractor": dict(self.extractor.facts())}

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """One."""
        real = require_reference(self.name, reference)
        x, y = self.vectors(sample, real)
        estimate = cmmd(x, y, self.sigma, self.scale)
        return [distance_score(self, self.name, estimate, sample, real)]
