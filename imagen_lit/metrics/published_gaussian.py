"""A reference of which only the mean and covariance of its features are at hand, as papers publish
them (imagen_lit/image_set/statistics.py).

FD can be measured against it, and FD∞; nothing else can. The file does not say how its images were
prepared, nor by which weights: whoever names it vouches that the extractor is the same.
"""

from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.features.extractor import Extractor
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.sample import ALL, Report, silent


class PublishedGaussian:
    """Stands in the reference's place for FD."""

    def __init__(self, statistics: StatisticsFile) -> None:
        self.statistics = statistics

    def extract(self, extractor: Extractor, share: Share = ALL, report: Report = silent) -> bool:
        """Nothing is left to do."""
        return True

    def require_width(self, extractor: Extractor) -> None:
        """Raise if the extractor's features are of another width than these."""
        if self.statistics.width != extractor.width:
            raise InputError(
                f"{self.statistics.path} is of {self.statistics.width} dimensions, and the "
                f"extractor of {extractor.width}. Choose the extractor that it was made with, by "
                "features=..."
            )

    def gaussian(self, extractor: Extractor) -> Gaussian:
        """As it is in the file; refused if of another width."""
        self.require_width(extractor)
        return Gaussian(self.statistics.mean, self.statistics.covariance)

    def reference_facts(self) -> dict[str, Any]:
        """The digest of the file: all that is known."""
        return dict(self.statistics.facts())
