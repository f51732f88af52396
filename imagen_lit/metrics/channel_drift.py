"""Channel drift: how far a super-resolution stage shifts the mean and the spread of each colour
channel against its input, in grey levels.

A stage that darkens or tints a little does so at every image, which no distance of distributions
tells apart from other faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.low_res_consistency import Inputs, require_pairs
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.pixel_measure import QUICK
from imagen_lit.metrics.sample import ALL, Report, Sample, silent

CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True)
class ChannelDrift:
    """0 is best. The reference is the input of each image, in the same order. An extractor of its
    own, so that the processes share the work."""

    name = "channel_drift"
    against = "input"
    numbers = tuple(f"drift_{kind}_{channel}" for kind in ("mean", "std") for channel in CHANNELS)
    width = 6

    def facts(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {"name": self.name, "unit": "grey levels"}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Of each image the three channels' means, then their standard deviations."""
        rows = [(image.mean(axis=(0, 1)), image.std(axis=(0, 1))) for image in images]
        return np.array(rows, np.float32).reshape(len(images), self.width)

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        require_pairs(self.name, sample, reference)

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """The six numbers of each image."""
        return sample.extract(self, share, report if len(sample) > QUICK else silent)

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """`drift_mean_red`, … and `drift_std_red`, …: image less input; also by category."""
        inputs = require_pairs(self.name, sample, reference)
        own, others = (np.asarray(each.features(self)) for each in (sample, inputs))
        pairs = zip(self.numbers, (own.astype(np.float64) - others).T, strict=True)
        return [
            score for pair in pairs for score in mean_scores(self, *pair, sample, Inputs(inputs))
        ]
