"""The share of images that an exact judge calls right, as scores with a protocol, so that they may
stand in the tables of all other scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics import measured
from imagen_lit.metrics.exact import Exact, exact_scores
from imagen_lit.metrics.measured import Measured
from imagen_lit.metrics.sample import Sample

MATCHES = "matches"  # of a result, where there is a judge


def rows(
    stages: Mapping[str, ImageSet],
    results: Mapping[str, Sequence[Mapping[str, Any]]],
    categories: Sequence[str | None] | None,
) -> Measured:
    """Of the judge's results for each stage; none without a judge."""
    return measured.of(
        [
            (stage, score)
            for stage, images in stages.items()
            if all(MATCHES in each for each in results[stage])
            for score in exact_scores(
                Exact().facts(),
                [bool(each[MATCHES]["exact"]) for each in results[stage]],
                Sample(images, "", categories),
            )
        ]
    )
