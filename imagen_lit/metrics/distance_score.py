"""The score of a distance between images and a reference, with the interval of its influences.

Resampling the images themselves would be wrong for such scores: a resample holds each image several
times or not at all, so that it looks like a sample of 0.63 n images, and FD grows by its bias once
more.
"""

import numpy as np

from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation.distance_interval import Estimate, distance_interval, influences
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import Reference, protocol


def distance_score(
    metric: Metric, name: str, estimate: Estimate, sample: Sample, reference: Reference
) -> Score:
    """One, of all images; whole prompts are independent."""
    value, facts = estimate.value, protocol(metric, name, sample, reference)
    # By their text, which is the same for another system's images of the same prompts.
    groups = sample.groups if sample.texts is None else np.array(sample.texts)[sample.groups]
    units = quantity(len(np.unique(groups)), "image" if sample.texts is None else "prompt")
    own = influences(estimate.influence, estimate.pair_influence, groups)
    if own is None:
        method, values = f"no interval: from {units}", value + estimate.influence
        return Score(name, value, None, len(sample), method, facts, values)
    ends = distance_interval(value, estimate.square, own, groups)
    method = f"influence functions over {units}" if ends else f"no interval: {units}, all alike"
    return Score(name, value, ends, len(sample), method, facts, value + own.images, own.pairs)
