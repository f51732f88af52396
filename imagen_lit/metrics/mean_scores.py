"""Scores that are means over images, with a bootstrap over prompts.

Images of one prompt hang together, so whole prompts are drawn again (Miller 2024, "clustered").

A score of a distribution becomes such a mean through its *influence values* (the infinitesimal
jackknife, Jaeckel 1972): value_i = score + influence of image i, of which the mean is the score and
the spread is, to first order in 1/n, that of the score over samples of this size. Resampling the
images themselves would be wrong for such scores: a resample holds each image several times or not
at all, so that it looks like a sample of 0.63 n images, and FD grows by its bias once more. What
the first order leaves out makes the interval too wide rather than too narrow (Efron & Stein 1981):
for FD, the more so the fewer images there are for each dimension.
"""

import numpy as np

from imagen_lit.basics.short_form import quantity
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


def influence_score(
    metric: Metric,
    name: str,
    value: float,
    influence: np.ndarray,
    sample: Sample,
    reference: Reference,
) -> Score:
    """A score of the whole distribution, whose interval the images' influence values give."""
    values = value + influence - influence.mean()
    facts = protocol(metric, name, sample, reference)
    interval, method = _interval(values, sample.groups, sample, "linearised ")
    return Score(name, value, interval, len(sample), method, facts, values)


def _score(
    metric: Metric,
    name: str,
    values: np.ndarray,
    numbers: np.ndarray,
    sample: Sample,
    reference: Reference | None,
    category: str,
) -> Score:
    interval, method = _interval(values[numbers], sample.groups[numbers], sample, "")
    facts = protocol(metric, name, sample, reference, category)
    value, count = float(values[numbers].mean()), len(numbers)
    if category == "all":
        return Score(name, value, interval, count, method, facts, values)
    return Score(f"{name}/{category}", value, interval, count, method, facts)


def _interval(
    values: np.ndarray, groups: np.ndarray, sample: Sample, kind: str
) -> tuple[tuple[float, float] | None, str]:
    units = quantity(len(np.unique(groups)), "image" if sample.texts is None else "prompt")
    interval = mean_interval(values, groups)
    if interval is None:
        return None, f"no interval: from {units}, all alike"
    return interval, f"{kind}bootstrap over {units}"
