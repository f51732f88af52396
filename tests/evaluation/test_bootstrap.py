"""Bootstrap intervals cover the truth as often as they claim, and agree with scipy's."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation import bootstrap
from imagen_lit.evaluation.bootstrap import FEW, mean_interval

REPEATS = 400


def one_image_a_prompt(rng: np.random.Generator) -> tuple[np.ndarray, None]:
    return rng.normal(size=40), None


def right_or_wrong(rng: np.random.Generator) -> tuple[np.ndarray, None]:
    return (rng.random(80) < 0.3) - 0.3, None


def skewed(rng: np.random.Generator) -> tuple[np.ndarray, None]:
    return rng.exponential(size=80) - 1, None


def four_seeds_a_prompt(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    values = rng.normal(size=(40, 1)) + rng.normal(size=(40, 4))
    return values.ravel(), np.repeat(np.arange(40), 4)


def unequal_groups(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(80), rng.integers(1, 9, 80))
    return rng.normal(size=80)[groups] + rng.normal(size=len(groups)), groups


WORLDS = [one_image_a_prompt, right_or_wrong, skewed, four_seeds_a_prompt, unequal_groups]


@pytest.mark.parametrize("world", WORLDS)
def test_the_interval_of_a_mean_covers_the_truth_in_93_to_97_of_100(world) -> None:  # noqa: ANN001
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(REPEATS):
        low, high = mean_interval(*world(rng), resamples=500)
        covered += low <= 0 <= high
    assert 0.93 <= covered / REPEATS <= 0.97


@pytest.mark.parametrize("prompts", [2, 3, 5, FEW - 1])
def test_few_prompts_have_student_s_interval_which_is_scipy_s_and_holds(prompts: int) -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(REPEATS):
        values = rng.normal(size=prompts)
        low, high = mean_interval(values)
        theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((theirs.low, theirs.high))
        covered += low <= 0 <= high
    assert 0.93 <= covered / REPEATS <= 0.97
    assert bootstrap.method(prompts) == "Student's t" and bootstrap.method(FEW) == "bootstrap"


def test_with_many_prompts_the_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(3).lognormal(size=500)
    low, high = mean_interval(values, resamples=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, batch=1000, rng=np.random.default_rng(4)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert low == pytest.approx(theirs.low, abs=0.03 * width)
    assert high == pytest.approx(theirs.high, abs=0.03 * width)


def test_with_unequal_groups_the_interval_is_that_of_scipy_for_a_ratio() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(400), rng.integers(1, 12, 400))
    values = rng.normal(size=400)[groups] + groups % 3
    sums, sizes = np.bincount(groups, values), np.bincount(groups)
    theirs = stats.bootstrap(
        (sums, sizes),
        lambda s, n, axis: s.sum(axis=axis) / n.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=10_000,
        batch=1000,
        rng=rng,
    ).confidence_interval
    width = theirs.high - theirs.low
    order = rng.permutation(len(values))  # groups need not be in order
    ours = mean_interval(values[order], groups[order], resamples=10_000)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)


def test_copies_of_an_image_make_no_interval_narrower() -> None:
    values = np.random.default_rng(0).normal(size=50)
    copies, groups = np.repeat(values, 5), np.repeat(np.arange(50), 5)
    alone, copied = mean_interval(values), mean_interval(copies, groups)
    assert copied == pytest.approx(alone)
    fooled = mean_interval(copies)
    assert fooled[1] - fooled[0] < 0.6 * (alone[1] - alone[0])


def test_the_same_seed_gives_the_same_bits_however_memory_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=64)
    whole = mean_interval(values, seed=7)
    assert mean_interval(values, seed=8) != whole
    monkeypatch.setattr(bootstrap, "CELLS", 1000)
    assert mean_interval(values, seed=7) == whole


def test_thirty_thousand_images_need_little_memory() -> None:
    values = np.random.default_rng(0).normal(size=30_000)
    tracemalloc.start()
    mean_interval(values, resamples=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # 200 resamples of 8 bytes at once would be 48 MB, three times over


@pytest.mark.parametrize("values", [[0.3], [1.0] * 50, [0.1 + 0.2, 0.3] * 20])
def test_values_that_cannot_tell_have_no_interval(values: list[float]) -> None:
    assert mean_interval(values) is None


def test_a_single_prompt_has_no_interval() -> None:
    assert mean_interval([0.1, 0.5, 0.9], ["a", "a", "a"]) is None


@pytest.mark.parametrize(
    ("values", "groups", "words"),
    [
        ([], None, "Give at least one value"),
        ([[1.0, 2.0]], None, "no row of values"),
        ([1.0, np.nan], None, "value 1 is nan"),
        ([1.0, np.inf], None, "Leave out"),
        ([1.0, 2.0], ["a"], "2 values and 1 groups"),
    ],
)
def test_what_is_no_row_of_numbers_is_refused(values: list, groups: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mean_interval(values, groups)


def test_few_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="Set 200 or more"):
        mean_interval(range(9), resamples=10)
