"""Recall and coverage: the share of a reference that lies in balls which only all images together
reach, and its interval by the jackknife over blocks of prompts.

One block at a time is left out. A bootstrap would put copies of images beside each other, and every
neighbour would be near.
"""

import numpy as np

from imagen_lit.basics.short_form import quantity
from imagen_lit.evaluation import jackknife
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample
from imagen_lit.metrics.score_protocol import protocol

BLOCKS = 20


def blocks(sample: Sample) -> np.ndarray:
    """The block of each image; those of a prompt share one."""
    return jackknife.blocks_of(sample.groups, blocks=BLOCKS)


def any_by_block(is_in: np.ndarray, block: np.ndarray) -> np.ndarray:
    """From [points, images], whether any image of each block reaches a point: [points, blocks]."""
    numbers = range(block.max() + 1)
    return np.stack([is_in[:, block == number].any(axis=1) for number in numbers], axis=1)


def share_without_each(reaches: np.ndarray) -> np.ndarray:
    """From [points, blocks], the share of points that are reached without each block."""
    counts = reaches.sum(axis=1, keepdims=True)
    return (counts - reaches > 0).mean(axis=0)


def pairs(reaches: np.ndarray) -> np.ndarray:
    """From [points, blocks], what each two blocks do together (jackknife.interval): only both
    together can take from the share a point that these two reach, and no other."""
    by_two = reaches[reaches.sum(axis=1) == 2].astype(np.float64)
    return -(by_two.T @ by_two) / len(reaches)


def block_score(
    metric: Metric,
    name: str,
    reaches: np.ndarray,
    left_out: np.ndarray,
    sample: Sample,
    real: Sample,
    together: np.ndarray | None = None,
) -> Score:
    """The share of points that any block reaches, with an interval within [0, 1]; `left_out` is
    what it is without each block, and `together` what each two do (`pairs`)."""
    value = float(reaches.any(axis=1).mean())
    ends = jackknife.interval(value, left_out, together)
    units = "images" if sample.texts is None else "prompts"
    count, facts = quantity(reaches.shape[1], "block"), protocol(metric, name, sample, real)
    if ends is None:
        method = f"no interval: {count} of {units}, all alike"
        return Score(name, value, None, len(sample), method, facts)
    within = max(ends[0], 0.0), min(ends[1], 1.0)
    return Score(name, value, within, len(sample), f"jackknife over {count} of {units}", facts)
