"""The share of images that an exact judge calls right, as scores with a protocol, so that they may
stand in the tables of all other scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import imagen_lit
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics import measured
from imagen_lit.metrics.measured import Measured
from imagen_lit.metrics.sample import Sample

NAME = "exact"


def rows(
    stages: Mapping[str, ImageSet],
    summaries: Mapping[str, Mapping[str, Any]],
    results: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Measured:
    """Of what the judge's `score` gave for each stage by category;
    none without a judge."""
    scores: list[tuple[str, Score]] = []
    for stage, images in stages.items():
        judge = {"name": NAME, "judge": "shapes world", "version": imagen_lit.__version__}
        facts = {"score": NAME, "metric": judge, "sample": Sample(images, "").facts()}
        if stage in summaries:
            right = np.array([float(each["matches"]["exact"]) for each in results[stage]])
        for category, row in summaries.get(stage, {}).items():
            is_all = category == "all"
            protocol = facts | ({} if is_all else {"category": category})
            name = NAME if is_all else f"{NAME}/{category}"
            value, interval = row["exact"], tuple(row["interval"])
            values = right if is_all else None
            score = Score(name, value, interval, row["n"], "Wilson", protocol, values)
            scores.append((stage, score))
    return measured.of(scores)
