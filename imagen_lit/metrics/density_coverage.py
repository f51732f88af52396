"""Density and coverage (Naeem et al. 2020, § 3): precision and recall with balls around the
reference alone, so that one outlier among the images covers nothing.

Density is the mean number of the reference's balls that an image lies in, divided by k, and may
exceed 1. Coverage is the share of the reference's balls that hold an image.
"""

from dataclasses import dataclass

import numpy as np

from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.block_share import any_by_block, block_score, blocks, share_without_each
from imagen_lit.metrics.feature_distance import NeighbourDistance
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.neighbours import chunks, squared_distances, squared_radii
from imagen_lit.metrics.sample import Sample
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
class DensityCoverage(NeighbourDistance):
    """Both larger is better: density for quality, coverage for diversity."""

    name = "density_coverage"
    numbers = ("density", "coverage")
    k: int = 5

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`density`, per image, and `coverage`."""
        real = require_reference(self.name, reference)
        x, y = self.vectors(sample, real)
        balls, has_image = ball_counts(x, y, self.k, blocks(sample))
        # The balls are the reference's own, and keep their radii. Most are reached by many blocks:
        # what two do together says too little, and the interval is rather too wide.
        left_out = share_without_each(has_image)
        coverage = block_score(self, "coverage", has_image, left_out, sample, real)
        return [*mean_scores(self, "density", balls / self.k, sample, real), coverage]
