"""What a metric is: a small object of conf/metrics/ that turns images into scores.

The command first lets every process `extract` its share for each metric, of the images and of what
they are compared with (imagen_lit/metrics/ruler.py); once all is there, one process asks for the
`scores`.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.sample import Report, Sample


@runtime_checkable
class Metric(Protocol):
    """`scores` depends on the images, the reference and `facts()` alone."""

    @property
    def name(self) -> str:
        """That of its YAML."""

    @property
    def against(self) -> str:
        """What `scores` compares with: `nothing`, the `reference`, or the `input` of each image,
        where a stage enlarges it."""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of its scores, without those by category."""

    def facts(self) -> Mapping[str, Any]:
        """All that decides the number for the same images, as plain JSON: the formula's constants,
        the extractor's facts, seeds; not how its interval is made."""

    def check(self, sample: Sample, reference: Any) -> None:
        """Raise if these images could get no score, before anything is computed of them."""

    def extract(self, sample: Sample, share: Share, report: Report) -> bool:
        """Compute this process's share of what `scores` needs of a set of images; True once all of
        it is there."""

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """One for each number that the metric gives and, per image, for each category."""
