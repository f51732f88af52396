"""FD: the Fréchet distance over any extractor; FID where that is Inception-v3 with FID's weights
(Heusel et al. 2017).

Its expectation falls with the number of images (`fd_infinity` extrapolates), so the number belongs
to the protocol. The interval is for that expectation, against this reference.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from imagen_lit.evaluation.distance_interval import Estimate
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics import frechet
from imagen_lit.metrics.distance_score import distance_score
from imagen_lit.metrics.feature_distance import FeatureDistance
from imagen_lit.metrics.frechet import Gaussian, Rows
from imagen_lit.metrics.frechet_curvature import FrechetCurvature
from imagen_lit.metrics.published_gaussian import PublishedGaussian
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import Reference, require_reference


class GaussianReference(Reference, Protocol):
    """A set of images, or a file of published statistics (published_gaussian.py)."""

    def gaussian(self, extractor: Extractor) -> Gaussian:
        """The Gaussian that fits its features."""


def fd(features: Rows, reference: Gaussian) -> Estimate:
    """The distance of features, in memory or in files, from a Gaussian."""
    result = frechet.distance(frechet.fit(features), reference)
    influence = frechet.influence(features, result)
    return Estimate(result.value, influence, FrechetCurvature(features, result), result.value)


@dataclass(frozen=True)
class FD(FeatureDistance):
    """Smaller is better."""

    name = "fd"
    numbers = ("fd",)

    def facts(self) -> dict[str, Any]:
        """The covariances are unbiased: divided by n - 1."""
        return {"name": self.name, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: GaussianReference | None) -> None:
        """Raise if these images could get no score."""
        real = require_reference(self.name, reference)
        if isinstance(real, PublishedGaussian):
            real.require_width(self.extractor)
        for images in (sample, real):
            if isinstance(images, Sample):
                frechet.refuse_few(len(images), self.extractor.width)

    def scores(self, sample: Sample, reference: GaussianReference | None) -> list[Score]:
        """One."""
        real = require_reference(self.name, reference)
        features = sample.features(self.extractor)
        estimate = fd(features, real.gaussian(self.extractor))
        return [distance_score(self, self.name, estimate, sample, real)]
