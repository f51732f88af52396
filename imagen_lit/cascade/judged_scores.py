"""The share of images that an exact judge calls right, as scores with a protocol, so that they may
stand in the tables of all other scores."""

from collections.abc import Mapping
from typing import Any

import imagen_lit
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics.ruler import rows_of
from imagen_lit.metrics.sample import Sample

NAME = "exact"


def rows(
    stages: Mapping[str, ImageSet], summaries: Mapping[str, Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and their protocols, of what the judge's `score` gave for each stage by category;
    none without a judge."""
    scores: list[tuple[str, Score]] = []
    for stage, images in stages.items():
        judge = {"name": NAME, "judge": "shapes world", "version": imagen_lit.__version__}
        facts = {"score": NAME, "metric": judge, "sample": Sample(images, "").facts()}
        for category, row in summaries.get(stage, {}).items():
            is_all = category == "all"
            protocol = facts | ({} if is_all else {"category": category})
            name = NAME if is_all else f"{NAME}/{category}"
            value, interval = row["exact"], tuple(row["interval"])
            scores.append((stage, Score(name, value, interval, row["n"], "Wilson", protocol)))
    return rows_of(scores)
