"""Spread over trainings and over samples are told apart, and intervals are those of Student's t."""

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.training_seeds import Arm, arm_difference, training_spread
from imagen_lit.evaluation.variance_components import variance_components


def test_both_spreads_are_recovered_from_unequal_repeats() -> None:
    rng = np.random.default_rng(0)
    scores = [
        10 + 0.3 * rng.normal() + 0.1 * rng.normal(size=rng.integers(1, 6)) for _ in range(3000)
    ]
    spread = training_spread(scores)
    assert spread.over_trainings == pytest.approx(0.3, rel=0.04)
    assert spread.over_samples == pytest.approx(0.1, rel=0.04)
    assert spread.variation == pytest.approx(0.03, rel=0.04)


def test_equal_repeats_give_the_mean_squares_of_the_textbook() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [7.0, 8.0, 9.0]])
    test = stats.f_oneway(*scores)
    within = scores.var(axis=1, ddof=1).mean()
    between = (test.statistic * within - within) / 3
    parts = variance_components(scores)
    assert (parts.within, parts.between) == pytest.approx((within**0.5, between**0.5))


def test_drawing_again_does_not_make_the_interval_over_trainings_narrower() -> None:
    means = np.array([9.7, 10.0, 10.4])
    once = training_spread([[mean] for mean in means])
    often = training_spread([[mean - 0.01, mean + 0.01] * 50 for mean in means])
    theirs = stats.ttest_1samp(means, 0).confidence_interval()
    assert once.interval == pytest.approx((theirs.low, theirs.high))
    assert often.interval == pytest.approx(once.interval)
    assert once.over_trainings is None, "of one score each, nobody can tell the spreads apart"


def test_a_single_training_has_no_interval() -> None:
    spread = training_spread([[10.0, 10.1, 10.2]])
    assert (spread.interval, spread.over_trainings, spread.variation) == (None, None, None)
    assert spread.over_samples == pytest.approx(0.1)


def test_trainings_that_differ_no_more_than_their_samples_have_no_spread() -> None:
    assert variance_components([[1.0, 3.0], [3.0, 1.0]]).between == 0.0


def test_the_difference_of_arms_is_that_of_student() -> None:
    one, two = [10.1, 10.3, 9.9], [9.5, 9.4, 9.8, 9.6]
    found = arm_difference(Arm("a", one, {}), Arm("b", two, {}), is_higher_better=False)
    theirs = stats.ttest_ind(two, one)
    ends = theirs.confidence_interval()
    assert found.interval == pytest.approx((ends.low, ends.high))
    assert found.p_value == pytest.approx(theirs.pvalue) and found.winner == "b"


def test_one_training_an_arm_has_no_winner() -> None:
    found = arm_difference(Arm("a", [10.0], {}), Arm("b", [1.0], {}), is_higher_better=False)
    assert (found.interval, found.winner) == (None, None)


def test_arms_of_other_protocols_and_empty_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot share a difference"):
        arm_difference(Arm("a", [1.0, 2.0], {"n": 1}), Arm("b", [1.0, 2.0], {"n": 2}), True)
    with pytest.raises(ValueError, match="at least one"):
        training_spread([])
    with pytest.raises(ValueError, match="Give at least one value"):
        training_spread([[1.0], []])
