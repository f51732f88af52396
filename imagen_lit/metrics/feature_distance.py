"""What the metrics that compare the features of images with those of a reference have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.process_share import Share
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics.neighbours import refuse_few
from imagen_lit.metrics.sample import ALL, Report, Sample, silent
from imagen_lit.metrics.score_protocol import require_images


@dataclass(frozen=True)
class FeatureDistance:
    """A metric of the features that `extractor` makes of images and of a reference."""

    against = "reference"
    extractor: Extractor

    def check(self, sample: Sample, reference: Any) -> None:
        """Raise if these images could get no score."""
        require_images(self.name, reference)  # type: ignore[attr-defined]  # each has its own

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images."""
        return sample.extract(self.extractor, share, report)

    def vectors(self, *samples: Sample) -> tuple[np.ndarray, ...]:
        """The features of each sample."""
        return tuple(np.asarray(each.features(self.extractor)) for each in samples)


@dataclass(frozen=True)
class NeighbourDistance(FeatureDistance):
    """One that knows vectors by their `k` nearest neighbours."""

    k: int

    def __post_init__(self) -> None:
        arguments.whole_number("k", self.k, 1)

    def facts(self) -> dict[str, Any]:
        """With k."""
        name = self.name  # type: ignore[attr-defined]
        return {"name": name, "k": self.k, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        name = self.name  # type: ignore[attr-defined]
        for images in (sample, require_images(name, reference)):
            refuse_few(len(images), self.k)
