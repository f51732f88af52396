"""Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2).

A set's manifold is the union of balls around its feature vectors, each reaching to the k-th nearest
of the others. Precision is the share of images inside the reference's manifold; recall the share of
reference images inside the images' manifold. Recall grows with the number of images.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.process_share import Share
from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import Extractor
from imagen_lit.metrics import jackknife
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.neighbours import chunks, squared_distances, squared_radii
from imagen_lit.metrics.sample import ALL, Report, Sample, silent
from imagen_lit.metrics.score_protocol import protocol, require_reference

BLOCKS = 20  # of the jackknife


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
) -> np.ndarray:
    """[points, blocks]: whether a point lies in a ball around a centre of each block."""
    radii, count = squared_radii(centres, k), block.max() + 1
    inside = np.empty((len(points), count), bool)
    for rows in chunks(len(points)):
        is_in = squared_distances(points[rows], centres) <= radii
        for number in range(count):
            inside[rows, number] = is_in[:, block == number].any(axis=1)
    return inside


def share_without_each(inside: np.ndarray) -> np.ndarray:
    """From [points, blocks], the share of points that are inside without each block."""
    counts = inside.sum(axis=1, keepdims=True)
    return (counts - inside > 0).mean(axis=0)


def block_score(metric: Any, name: str, inside: np.ndarray, sample: Sample, real: Sample) -> Score:
    """The share of points inside any block, with the jackknife's interval within [0, 1]."""
    value = float(inside.any(axis=1).mean())
    ends = jackknife.interval(value, share_without_each(inside))
    within = None if ends is None else (max(ends[0], 0.0), min(ends[1], 1.0))
    units = "image" if sample.texts is None else "prompt"
    method = f"jackknife over {quantity(inside.shape[1], 'block')} of {units}s"
    facts = protocol(metric, name, sample, real)
    return Score(name, value, within, len(sample), method, facts)


@dataclass(frozen=True)
class PrecisionRecall:
    """Both larger is better: precision for quality, recall for diversity."""

    name = "precision_recall"
    needs_reference = True
    extractor: Extractor
    k: int = 3

    def __post_init__(self) -> None:
        arguments.whole_number("k", self.k, 1)

    def facts(self) -> dict[str, Any]:
        """With k."""
        return {"name": self.name, "k": self.k, "extractor": dict(self.extractor.facts())}

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images."""
        return sample.extract(self.extractor, share, report)

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`precision`, per image, and `recall`."""
        real = require_reference(self.name, reference)
        x, y = (np.asarray(each.features(self.extractor)) for each in (sample, real))
        precision = is_inside(x, y, self.k).astype(np.float64)
        by_block = is_inside_by_block(y, x, self.k, jackknife.blocks(sample.groups, BLOCKS))
        recall = block_score(self, "recall", by_block, sample, real)
        return [*mean_scores(self, "precision", precision, sample, real), recall]
