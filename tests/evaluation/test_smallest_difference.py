"""What a plan can show, against published figures, a textbook's table, and simulation."""

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.smallest_difference import (
    Noise,
    half_width,
    over_prompts,
    over_trainings,
    sentence,
    smallest_difference,
    together,
)


@pytest.mark.parametrize(("seeds", "width"), [(3, 0.029), (5, 0.019)])
def test_three_seeds_have_29_thousandths_and_five_have_19(seeds: int, width: float) -> None:
    assert round(half_width(over_trainings(seeds)), 3) == width


@pytest.mark.parametrize(("effect", "count"), [(0.8, 26), (0.5, 64), (1.0, 17), (1.2, 12)])
def test_the_sizes_of_groups_are_those_of_cohens_table(effect: float, count: int) -> None:
    """Cohen 1988, table 2.4.1, two-sided 5 %, power 0.8: the least count that finds the effect."""
    assert smallest_difference(over_trainings(count, 1.0)) <= effect * 1.005
    assert smallest_difference(over_trainings(count - 1, 1.0)) > effect


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_four_of_five_simulated_sweeps_find_the_smallest_difference(seeds: int) -> None:
    rng = np.random.default_rng(0)
    shift = smallest_difference(over_trainings(seeds))
    one = 1 + 0.013 * rng.normal(size=(20_000, seeds))
    two = 1 + shift + 0.013 * rng.normal(size=(20_000, seeds))
    assert np.mean(stats.ttest_ind(two, one, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("is_paired", [True, False])
def test_four_of_five_simulated_comparisons_over_prompts_find_it(is_paired: bool) -> None:
    rng, (prompts, seeds, between, within, agreement) = (
        np.random.default_rng(0),
        (30, 4, 1, 0.5, 0.8),
    )
    shift = smallest_difference(over_prompts(prompts, seeds, between, within, is_paired, agreement))
    shape = (8000, prompts)

    def means(shared: np.ndarray) -> np.ndarray:
        own = rng.normal(size=shape) * (1 - agreement) ** 0.5
        seen = rng.normal(size=(*shape, seeds)).mean(axis=-1)
        return between * (shared * agreement**0.5 + own) + within * seen

    shared = rng.normal(size=shape)
    one = means(shared)
    two = means(shared if is_paired else rng.normal(size=shape)) + shift
    test = stats.ttest_rel if is_paired else stats.ttest_ind
    assert np.mean(test(two, one, axis=1).pvalue < 0.05) == pytest.approx(0.8, abs=0.015)


def test_pairs_show_smaller_differences_and_more_seeds_have_a_limit() -> None:
    def smallest(seeds: int, is_paired: bool) -> float:
        return smallest_difference(over_prompts(200, seeds, 1.0, 1.0, is_paired, 0.9))

    assert smallest(4, True) < 0.6 * smallest(4, False)
    assert smallest(1, False) > smallest(4, False) > smallest(10_000, False)
    assert smallest(10_000, False) > 0.25, "prompts are the limit"


def test_noises_add_up_and_the_less_known_one_rules_the_freedom() -> None:
    sum_ = together([Noise(4.0, 4.0), Noise(1.0, 1000.0)])
    assert sum_.variance == 5.0 and 4 < sum_.freedom < 8
    assert together([Noise(4.0, 4.0)]) == Noise(4.0, 4.0)


def test_a_plan_is_a_sentence() -> None:
    assert sentence(3) == (
        "3 training seeds an arm, which vary by 1.3%: a difference will have a 95 % interval of "
        "±2.9%, and the smallest that is shown with 80% chance is 4.0%"
    )


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (lambda: over_trainings(1), "2 or more"),
        (lambda: over_trainings(3, 0.0), "Give a number above 0"),
        (lambda: over_trainings(3, float("nan")), "Give a number above 0"),
        (lambda: over_prompts(1, 4, 1, 1, True), "2 or more"),
        (lambda: over_prompts(9, 4, 1, 1, True, 1.5), "between 0 and 1"),
        (lambda: smallest_difference(Noise(1.0, 4.0), 1.0), "Set power=0.8"),
    ],
)
def test_an_impossible_plan_is_refused(plan, words: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=words):
        plan()
