"""The jackknife over blocks covers the truth where copies of images would mislead."""

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.bootstrap import mean_interval
from imagen_lit.evaluation.jackknife import blocks_of, interval, statistic_interval

PROMPTS, SEEDS, WIDTH = 100, 4, 6
GROUPS = np.repeat(np.arange(PROMPTS), SEEDS)


def features(rng: np.random.Generator) -> np.ndarray:
    """Of four images a prompt, which have a third of their variance in common."""
    shared = rng.normal(size=(PROMPTS, WIDTH))[GROUPS]
    own = rng.normal(size=(len(GROUPS), WIDTH))
    return 0.3 + np.linspace(1, 1.5, WIDTH) * (0.3**0.5 * shared + 0.7**0.5 * own)


def frechet(x: np.ndarray) -> float:
    """The Fréchet distance to the standard normal distribution."""
    spectrum = np.linalg.eigvalsh(np.cov(x.T))
    return float((x.mean(axis=0) ** 2).sum() + ((np.sqrt(spectrum) - 1) ** 2).sum())


def test_the_interval_of_a_frechet_distance_covers_its_mean_at_this_number() -> None:
    rng = np.random.default_rng(2)
    truth = np.mean([frechet(features(rng)) for _ in range(3000)])
    covered = 0
    for _ in range(200):
        x = features(rng)
        low, high = statistic_interval(lambda i, x=x: frechet(x[i]), GROUPS, blocks=25)
        covered += low <= truth <= high
    assert 0.93 <= covered / 200 <= 0.97


def test_of_a_mean_with_a_block_for_each_value_it_is_student_s_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    ours = statistic_interval(lambda i: float(values[i].mean()), range(30))
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    assert ours == pytest.approx((theirs.low, theirs.high))


def test_copies_of_an_image_make_no_interval_narrower() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=40), 5)
    groups = [f"prompt {n // 5}" for n in range(200)]
    low, high = statistic_interval(lambda i: float(values[i].mean()), groups)
    one, two = mean_interval(values, groups)
    assert high - low == pytest.approx(two - one, rel=0.1)


def test_prompts_are_dealt_out_whole_evenly_and_the_same_each_time() -> None:
    blocks = blocks_of(GROUPS, seed=1, blocks=7)
    assert all(len({*blocks[prompt == GROUPS]}) == 1 for prompt in range(PROMPTS))
    assert {*np.bincount(blocks) // SEEDS} == {14, 15}
    assert (blocks_of(GROUPS, 1, 7) == blocks).all() and (blocks_of(GROUPS, 2, 7) != blocks).any()


def test_where_nothing_can_be_told_there_is_no_interval() -> None:
    assert statistic_interval(lambda i: float(len(i)), ["a", "a"]) is None
    assert statistic_interval(lambda _: 1.0, range(9)) is None
    with pytest.raises(ValueError, match="value 1 is nan"):
        interval(1.0, [1.0, np.nan])
    with pytest.raises(ValueError, match="blocks=1"):
        statistic_interval(lambda _: 1.0, range(9), blocks=1)
