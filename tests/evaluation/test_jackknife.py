"""The jackknife over blocks covers the truth where copies of images would mislead."""

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.bootstrap import Interval, mean_interval
from imagen_lit.evaluation.jackknife import blocks_of, interval

PROMPTS, SEEDS = 100, 4
GROUPS = np.repeat(np.arange(PROMPTS), SEEDS)


def of_mean(values: np.ndarray, groups: np.ndarray, blocks: int) -> Interval | None:
    block = blocks_of(groups, blocks=blocks)
    left_out = [values[block != number].mean() for number in range(block.max() + 1)]
    return interval(float(values.mean()), left_out)


def test_of_a_mean_with_a_block_for_each_value_it_is_student_s_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    assert of_mean(values, np.arange(30), 50) == pytest.approx((theirs.low, theirs.high))


def test_copies_of_an_image_make_no_interval_narrower() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=40), 5)
    groups = np.repeat(np.arange(40), 5)
    low, high = of_mean(values, groups, 50)
    one, two = mean_interval(values, groups)
    assert high - low == pytest.approx(two - one, rel=0.1)


def test_prompts_are_dealt_out_whole_evenly_and_the_same_each_time() -> None:
    blocks = blocks_of(GROUPS, seed=1, blocks=7)
    assert all(len({*blocks[prompt == GROUPS]}) == 1 for prompt in range(PROMPTS))
    assert {*np.bincount(blocks) // SEEDS} == {14, 15}
    assert (blocks_of(GROUPS, 1, 7) == blocks).all() and (blocks_of(GROUPS, 2, 7) != blocks).any()


def test_where_nothing_can_be_told_there_is_no_interval() -> None:
    assert interval(2.0, [2.0]) is None
    assert interval(1.0, np.ones(9)) is None
    with pytest.raises(ValueError, match="value 1 is nan"):
        interval(1.0, [1.0, np.nan])
    with pytest.raises(ValueError, match="blocks=1"):
        blocks_of(np.arange(9), blocks=1)
