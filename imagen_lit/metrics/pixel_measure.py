"""What the metrics that look at the pixels of each image alone have in common."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.sample import ALL, Report, Sample, silent

QUICK = 1024  # so few images take seconds, and need no progress line


@dataclass(frozen=True)
class PixelMeasure:
    """The means of a few numbers of each image, which `features` computes: it is an extractor of
    its own, so that the processes share the work."""

    against = "nothing"
    numbers: ClassVar[tuple[str, ...]]  # the name of each

    @property
    def width(self) -> int:
        """How many numbers."""
        return len(self.numbers)

    def check(self, sample: Sample, reference: Any = None) -> None:
        """Any images get a score."""

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """The numbers of each image."""
        seen = report if len(sample) > QUICK else silent
        return sample.extract(self, share, seen)  # type: ignore[arg-type]

    def scores(self, sample: Sample, reference: Any = None) -> list[Score]:
        """One for each number; with categories, also for each."""
        columns = np.asarray(sample.features(self)).astype(np.float64).T  # type: ignore[arg-type]
        pairs = zip(self.numbers, columns, strict=True)
        return [score for pair in pairs for score in mean_scores(self, *pair, sample)]  # type: ignore[arg-type]
