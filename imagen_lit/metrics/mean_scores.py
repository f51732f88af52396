"""Scores that are means over images, with a bootstrap over prompts.

Images of one prompt hang together, so whole prompts are drawn again (Miller 2024, "clustered").
"""

import numpy as np

from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation import bootstrap
from imagen_lit.evaluation.bootstrap import mean_interval
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import Reference, protocol


def mean_scores(
    metric: Metric,
    name: str,
    values: np.ndarray,
    sample: Sample,
    reference: Reference | None = None,
) -> list[Score]:
    """The mean of a value for each image: over all, then `<name>/<category>` for each category."""
    scores = [_score(metric, name, values, np.arange(len(sample)), sample, reference, "all")]
    if sample.categories is not None:
        for category in filter(None, dict.fromkeys(sample.categories)):
            is_in = [each == category for each in sample.categories]
            numbers = np.flatnonzero(is_in)
            scores.append(_score(metric, name, values, numbers, sample, reference, category))
    return scores


def _score(
    metric: Metric,
    name: str,
    values: np.ndarray,
    numbers: np.ndarray,
    sample: Sample,
    reference: Reference | None,
    category: str,
) -> Score:
    interval, method = _interval(values[numbers], sample.groups[numbers], sample)
    facts = protocol(metric, name, sample, reference, category)
    value, count = float(values[numbers].mean()), len(numbers)
    if category == "all":
        return Score(name, value, interval, count, method, facts, values)
    return Score(f"{name}/{category}", value, interval, count, method, facts)


def _interval(
    values: np.ndarray, groups: np.ndarray, sample: Sample
) -> tuple[tuple[float, float] | None, str]:
    count = len(np.unique(groups))
    units = quantity(count, "image" if sample.texts is None else "prompt")
    interval = mean_interval(values, groups)
    if interval is None:
        return None, f"no interval: from {units}, all alike"
    return interval, f"{bootstrap.method(count)} over {units}"
