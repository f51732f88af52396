"""A family of comparisons names no winner by chance, and names one where the arms differ."""

import itertools

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation import holm, smallest_difference
from imagen_lit.evaluation.training_seeds import Arm
from imagen_lit.evaluation.verdict import pairs, verdicts

FACTS = {"score": "fd"}


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, and never below the one before.
    assert holm.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm.adjusted([]) == [] and holm.adjusted([0.7, 0.9]) == [1.0, 1.0]


def test_holm_finds_what_bonferroni_finds_and_never_less() -> None:
    chances = np.random.default_rng(0).uniform(0, 0.03, 20)
    adjusted = np.array(holm.adjusted(chances.tolist()))
    assert (adjusted <= np.minimum(1, 20 * chances) + 1e-12).all() and (adjusted >= chances).all()
    assert adjusted.min() == pytest.approx(20 * chances.min())


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_ten_arms_that_do_not_differ_have_no_winner_in_95_of_100_reports(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    winners = 0
    for _ in range(100):
        arms = [Arm(str(arm), rng.normal(12, 0.15, seeds).tolist(), FACTS) for arm in range(10)]
        winners += any(each.is_apart for each in verdicts(pairs(arms, False)))
    assert winners <= 5


def test_without_the_correction_many_such_reports_would_name_one() -> None:
    rng = np.random.default_rng(0)
    reports = [
        [Arm(str(arm), rng.normal(12, 0.15, 3).tolist(), FACTS) for arm in range(10)]
        for _ in range(20)
    ]
    alone = sum(any(each.winner for each in pairs(arms, False)) for arms in reports)
    assert alone > 5


@pytest.mark.parametrize("is_higher_better", [True, False])
def test_arms_that_differ_much_are_told_apart_in_the_right_direction(
    is_higher_better: bool,
) -> None:
    rng = np.random.default_rng(1)
    arms = [Arm(str(arm), rng.normal(3 * arm, 0.1, 3).tolist(), FACTS) for arm in range(4)]
    found = verdicts(pairs(arms, is_higher_better))
    assert len(found) == 6
    for each, (one, two) in zip(found, itertools.combinations(range(4), 2), strict=True):
        assert each.winner == str(two if is_higher_better else one)


def test_a_difference_without_a_p_value_is_no_test_and_has_no_winner() -> None:
    alone = Arm("a", [1.0], FACTS), Arm("b", [9.0], FACTS)
    (found,) = verdicts(pairs(alone, True))
    assert found.chance is None and not found.is_apart


def test_among_many_comparisons_a_smallest_difference_is_larger() -> None:
    noise = smallest_difference.over_trainings(3, 1.0)
    alone, among = (smallest_difference.smallest_difference(noise, comparisons=n) for n in (1, 20))
    assert alone < among
    # The oracle: the power of a t test of that level at that shift, by simulation.
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, (2, 20_000, 3))
    chances = stats.ttest_ind(one, two + among, axis=1).pvalue
    assert (chances < 0.05 / 20).mean() == pytest.approx(0.8, abs=0.02)
