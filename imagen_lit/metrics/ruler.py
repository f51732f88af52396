"""A ruler: metrics, and what images are measured against.

It is laid against the stages of a cascade, from the smallest to the largest, or against one set of
images of any origin. Several processes extract a share of the features each, and then what others
have left.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics import enlargement, file_form, measured, own_reference, single_colour
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
        report: Report = silent,
    ) -> None:
        self.metrics, self.folder, self.share = metrics, folder, share
        self.reference_folder = reference_folder or folder
        self._reference, self._report = reference, report
        self._references: dict[int | None, Any] = {}  # by size: one serves every metric

    def check(self, stages: Stages, start: ImageSet | None = None) -> None:
        """Raise if a metric could give these images no score, whether they are drawn yet or not;
        warn where it would measure nothing, or see little. `start`: what the first stage enlarges,
        if it does."""
        self.require(stages, start)
        idle = {metric.name for metric in self.metrics.values()}
        for name, metric, sample, against in self._cases(stages, None, start):
            enlargement.warn_if_large(name, metric, sample)
            if metric.against == "reference":
                file_form.warn_if_other(name, sample, against)
                own_reference.warn_if_same(name, sample, against)
            idle.discard(metric.name)
        for name in sorted(idle):
            warnings.warn(
                f"{name} measures nothing here: it compares each image with the smaller one that a "
                "stage enlarged, and no stage is before these",
                stacklevel=2,
            )

    def require(self, stages: Stages, start: ImageSet | None = None) -> None:
        """The same without a warning, which the weights of every network would have to be there
        for."""
        for _, metric, sample, against in self._cases(stages, None, start):
            metric.check(sample, against)

    def numbers(self, stages: Stages, start: ImageSet | None = None) -> list[str]:
        """The names of the scores that images of the last stage get, without those by category."""
        cases = self._cases(stages, None, start)
        last = [metric for name, metric, *_ in cases if name == [*stages][-1]]
        return [number for metric in last for number in metric.numbers]

    def extract(self, stages: Stages, start: ImageSet | None = None) -> None:
        """Compute what the scores need of every image, this process's share of it first."""
        for share in dict.fromkeys((self.share, ALL)):
            for _, metric, sample, against in self._cases(stages, None, start):
                metric.extract(sample, share, self._report)
                if against is not None:
                    metric.extract(against, share, self._report)

    def measure(
        self,
        stages: Stages,
        categories: Sequence[str | None] | None = None,
        start: ImageSet | None = None,
    ) -> Measured:
        """The scores of every stage, by every metric."""
        for name, images in stages.items():
            single_colour.warn(name, images)
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
