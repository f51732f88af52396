"""A ruler: metrics, and what images are measured against.

It is laid against the stages of a cascade, from the smallest to the largest, or against one set of
images of any origin. Several processes extract a share of the features each, and then what others
have left.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics import measured
from imagen_lit.metrics.measured import Measured
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.published_gaussian import PublishedGaussian
from imagen_lit.metrics.sample import ALL, Report, Sample, silent

Stages = Mapping[str, ImageSet]  # from the smallest to the largest
Reference = Callable[[int | None], Any]  # the edge of the images -> an image set, statistics, None


def no_reference(size: int | None) -> None:
    """Nothing to measure against."""


class Ruler:
    """`folder` keeps the features of the images, and `reference_folder`, if it is another, those of
    what they are measured against: `reference(size)`, for images of this edge."""

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        folder: Path,
        reference: Reference = no_reference,
        share: Share = ALL,
        reference_folder: Path | None = None,
    ) -> None:
        self.metrics, self.folder, self.share = metrics, folder, share
        self.reference_folder = reference_folder or folder
        self._reference = reference
        self._references: dict[int | None, Any] = {}  # by size: one serves every metric

    def extract(
        self, stages: Stages, start: ImageSet | None = None, report: Report = silent
    ) -> None:
        """Compute what the scores need of every image, this process's share of it first. `start`:
        what the first stage enlarges, if it does."""
        for _, metric, sample, against in self._cases(stages, None, start):
            metric.check(sample, against)
        for share in dict.fromkeys((self.share, ALL)):
            for _, metric, sample, against in self._cases(stages, None, start):
                metric.extract(sample, share, report)
                if against is not None:
                    metric.extract(against, share, report)

    def measure(
        self,
        stages: Stages,
        categories: Sequence[str | None] | None = None,
        start: ImageSet | None = None,
    ) -> Measured:
        """The scores of every stage, by every metric."""
        scores: list[tuple[str, Score]] = [
            (name, score)
            for name, metric, sample, against in self._cases(stages, categories, start)
            for score in metric.scores(sample, against)
        ]
        return measured.of(scores)

    def _cases(
        self,
        stages: Stages,
        categories: Sequence[str | None] | None,
        start: ImageSet | None,
    ) -> Iterator[tuple[str, Metric, Sample, Any]]:
        smaller = None if start is None else Sample(start, self.folder)
        for name, images in stages.items():
            sample = Sample(images, self.folder, categories)
            for metric in self.metrics.values():
                for against in self._against(metric, sample, smaller):
                    yield name, metric, sample, against
            smaller = sample

    def _against(self, metric: Metric, sample: Sample, smaller: Sample | None) -> list[Any]:
        """What a metric compares a sample with; none where there is no such thing, as for the first
        stage, which enlarges nothing."""
        if metric.against == "input":
            return [] if smaller is None else [smaller]
        if metric.against == "reference":
            size = getattr(sample.images, "size", None)
            if size not in self._references:
                self._references[size] = self._reference_of(size)
            return [self._references[size]]
        return [None]

    def _reference_of(self, size: int | None) -> Any:
        images = self._reference(size)
        if images is None:
            return None
        if isinstance(images, StatisticsFile):
            return PublishedGaussian(images)
        return Sample(images, self.reference_folder)
