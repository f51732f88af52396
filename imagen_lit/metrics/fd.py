"""FD: the Fréchet distance over any extractor; FID where that is Inception-v3 with FID's weights
(Heusel et al. 2017).

Its expectation falls with the number of images (`fd_infinity` extrapolates), so the number belongs
to the protocol. The interval is for that expectation, against this reference.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics import frechet
from imagen_lit.metrics.feature_distance import FeatureDistance
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.mean_scores import influence_score
from imagen_lit.metrics.published_gaussian import PublishedGaussian
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import Reference, require_reference


class GaussianReference(Reference, Protocol):
    """A set of images, or a file of published statistics (published_gaussian.py)."""

    def gaussian(self, extractor: Extractor) -> Gaussian:
        """The Gaussian that fits its features."""


@dataclass(frozen=True)
class FD(FeatureDistance):
    """Smaller is better."""

    name = "fd"

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
        first, second = sample.gaussian(self.extractor), real.gaussian(self.extractor)
        result = frechet.distance(first, second)
        influence = frechet.influence(sample.features(self.extractor), result)
        return [influence_score(self, self.name, result.value, influence, sample, real)]
