"""Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2).

A set's manifold is the union of balls around its feature vectors, each reaching to the k-th nearest
of the others. Precision is the share of images inside the reference's manifold; recall the share of
reference images inside the images' manifold. Recall grows with the number of images.
"""

from dataclasses import dataclass

import numpy as np

from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.block_share import any_by_block, block_score, blocks, pairs
from imagen_lit.metrics.feature_distance import NeighbourDistance
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.neighbours import (
    chunks,
    squared_distances,
    squared_radii,
    squared_radii_without,
)
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import require_reference


def is_inside(points: np.ndarray, centres: np.ndarray, k: int) -> np.ndarray:
    """For each point, whether it lies in the manifold of the centres: True on a ball's edge."""
    radii = squared_radii(centres, k)
    inside = [
        (squared_distances(points[rows], centres) <= radii).any(axis=1)
        for rows in chunks(len(points))
    ]
    return np.concatenate(inside)


def is_inside_by_block(
    points: np.ndarray, centres: np.ndarray, k: int, block: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[points, blocks]: whether a point lies in a ball around a centre of each block; and the share
    of points that lie in the manifold without each block, whose other balls then reach further."""
    radii, without = squared_radii(centres, k), squared_radii_without(centres, k, block)
    inside, counts = [], np.zeros(len(without))
    for rows in chunks(len(points)):
        distances = squared_distances(points[rows], centres)
        inside.append(any_by_block(distances <= radii, block))
        counts += [(distances <= each).any(axis=1).sum() for each in without]
    return np.concatenate(inside), counts / len(points)


@dataclass(frozen=True)
class PrecisionRecall(NeighbourDistance):
    """Both larger is better: precision for quality, recall for diversity."""

    name = "precision_recall"
    numbers = ("precision", "recall")
    k: int = 3

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`precision`, per image, and `recall`."""
        real = require_reference(self.name, reference)
        x, y = self.vectors(sample, real)
        precision = is_inside(x, y, self.k).astype(np.float64)
        by_block, left_out = is_inside_by_block(y, x, self.k, blocks(sample))
        recall = block_score(self, "recall", by_block, left_out, sample, real, pairs(by_block))
        return [*mean_scores(self, "precision", precision, sample, real), recall]
