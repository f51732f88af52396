"""Density and coverage (Naeem et al. 2020, § 3): precision and recall with balls around the
reference alone, so that one outlier among the images covers nothing.

Density is the mean number of the reference's balls that an image lies in, divided by k, and may
exceed 1. Coverage is the share of the reference's balls that hold an image.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics.block_share import any_by_block, block_score, blocks
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.neighbours import chunks, refuse_few, squared_distances, squared_radii
from imagen_lit.metrics.sample import ALL, Report, Sample, silent
from imagen_lit.metrics.score_protocol import require_reference


def ball_counts(
    images: np.ndarray, real: np.ndarray, k: int, block: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many real balls each image lies in, and [real, blocks]: whether an image of each block
    lies in the ball."""
    radii, balls, has_image = squared_radii(real, k), np.zeros(len(images)), []
    for rows in chunks(len(real)):
        is_in = squared_distances(real[rows], images) <= radii[rows, None]
        balls += is_in.sum(axis=0)
        has_image.append(any_by_block(is_in, block))
    return balls, np.concatenate(has_image)


@dataclass(frozen=True)
class DensityCoverage:
    """Both larger is better: density for quality, coverage for diversity."""

    name = "density_coverage"
    against = "reference"
    extractor: Extractor
    k: int = 5

    def __post_init__(self) -> None:
        arguments.whole_number("k", self.k, 1)

    def facts(self) -> dict[str, Any]:
        """With k."""
        return {"name": self.name, "k": self.k, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        for images in (sample, require_reference(self.name, reference)):
            refuse_few(len(images), self.k)

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images."""
        return sample.extract(self.extractor, share, report)

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`density`, per image, and `coverage`."""
        real = require_reference(self.name, reference)
        x, y = (np.asarray(each.features(self.extractor)) for each in (sample, real))
        balls, has_image = ball_counts(x, y, self.k, blocks(sample))
        coverage = block_score(self, "coverage", has_image, sample, real)
        return [*mean_scores(self, "density", balls / self.k, sample, real), coverage]
