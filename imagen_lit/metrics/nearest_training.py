"""Memorisation: are images nearer to training images than unseen real ones are?

Real images that were not trained on, the reference, say how near is usual. Two numbers compare the
distances of the images with theirs, in feature space:

- `training_closer`: how often an image is nearer to its nearest training image than an unseen real
  one is: 0.5 if nothing is copied (Meehan et al. 2020, § 3, the statistic of their test).
- `training_copies`: the share of images nearer than all but `quantile` of the unseen real ones,
  which is about `quantile` if nothing is copied. It shows a few copies, which the first drowns.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import Extractor
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.neighbours import nearest
from imagen_lit.metrics.sample import ALL, Report, Sample, silent
from imagen_lit.metrics.score_protocol import require_images, require_reference


def share_farther(distances: np.ndarray, real: np.ndarray) -> np.ndarray:
    """For each distance the share of real ones that are larger; equal ones count half."""
    ordered = np.sort(real)
    nearer, or_equal = (np.searchsorted(ordered, distances, side) for side in ("left", "right"))
    return 1 - (nearer + or_equal) / (2 * len(real))


def refuse_few(count: int, quantile: float) -> None:
    """Raise if so many real images have no such quantile."""
    if count * quantile < 1:
        raise InputError(
            f"{count} real images say nothing about their nearest {quantile:.1%}. Give "
            f"{round(1 / quantile)} or more, or set quantile higher."
        )


def is_copy(distances: np.ndarray, real: np.ndarray, quantile: float) -> np.ndarray:
    """For each distance whether it is below the quantile of the real ones."""
    refuse_few(len(real), quantile)
    threshold = np.quantile(real, quantile)
    if threshold == 0:
        raise InputError(
            f"{(real == 0).mean():.1%} of the reference are training images themselves. Give real "
            "images that were not trained on."
        )
    return distances < threshold


@dataclass(frozen=True)
class NearestTraining:
    """Smaller is better. The reference is real and unseen; `training` is what was trained on."""

    name = "nearest_training"
    numbers = ("training_closer", "training_copies")
    against = "reference"
    extractor: Extractor
    training: ImageSet | None
    feature_folder: str
    quantile: float = 0.01

    def __post_init__(self) -> None:
        arguments.number("quantile", self.quantile, 0, 0.5)
        arguments.positive_number("quantile", self.quantile)

    @cached_property
    def _training(self) -> Sample:
        if self.training is None:
            raise InputError(
                "nearest_training does not know what was trained on. "
                "Set image_set@training=shards training.part=training, for example."
            )
        return Sample(self.training, self.feature_folder)

    def facts(self) -> dict[str, Any]:
        """With the training set's facts."""
        training = {"quantile": self.quantile, "training": self._training.reference_facts()}
        return {"name": self.name, **training, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        unseen = require_images(self.name, reference)
        refuse_few(len(unseen), self.quantile)
        self._training  # noqa: B018  # which is refused if it is not named

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images, and of those trained on."""
        training = self._training.extract(self.extractor, share, report)
        return sample.extract(self.extractor, share, report) and training

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`training_closer` and `training_copies`; with categories, also for each."""
        unseen = require_reference(self.name, reference)
        training = self._training.features(self.extractor)
        own, real = (
            nearest(np.asarray(each.features(self.extractor)), training)
            for each in (sample, unseen)
        )
        closer, copies = share_farther(own, real), is_copy(own, real, self.quantile)
        return [
            *mean_scores(self, "training_closer", closer, sample, unseen),
            *mean_scores(self, "training_copies", copies.astype(np.float64), sample, unseen),
        ]
