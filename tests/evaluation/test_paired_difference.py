"""Pairs show what separate sets hide, and a winner needs an interval."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from imagen_lit.evaluation.bootstrap import mean_interval
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.paired_difference import (
    ImageScores,
    paired_difference,
    permutation_p,
)

PROTOCOL = {"prompts": "suite s", "seeds": 3}


def systems(gain: float, prompts: int = 40, seeds: int = 3) -> tuple[ImageScores, ImageScores]:
    """Prompts of very different difficulty, and a second system that is better by `gain`."""
    rng = np.random.default_rng(0)
    keys = list(product([f"prompt {n}" for n in range(prompts)], range(seeds)))
    hard = dict(zip(range(prompts), rng.normal(size=prompts), strict=True))
    first = {key: hard[n // seeds] + 0.1 * rng.normal() for n, key in enumerate(keys)}
    second = {key: value + gain + 0.1 * rng.normal() for key, value in first.items()}
    return ImageScores("a", first, PROTOCOL), ImageScores("b", second, PROTOCOL)


def test_a_small_gain_is_shown_by_pairs_and_hidden_without_them() -> None:
    first, second = systems(0.1)
    found = paired_difference(first, second, is_higher_better=True)
    assert found.winner == "b" and found.interval[0] < 0.1 < found.interval[1]
    assert found.p_value < 0.001 and found.n == 120
    groups = [prompt for prompt, _ in first.values]
    alone = [mean_interval(list(s.values.values()), groups) for s in (first, second)]
    assert alone[1][0] < alone[0][1], "the intervals of the two means overlap"


def test_a_lower_score_wins_where_lower_is_better() -> None:
    first, second = systems(0.1)
    assert paired_difference(first, second, is_higher_better=False).winner == "a"
    assert paired_difference(second, first, is_higher_better=False).winner == "a"


def test_no_gain_has_no_winner() -> None:
    found = paired_difference(*systems(0.0), is_higher_better=True)
    assert found.winner is None and found.p_value > 0.05
    assert "no winner" in found.sentence()


def test_one_prompt_has_no_interval_and_no_winner_however_large_the_gain() -> None:
    found = paired_difference(*systems(9.0, prompts=1, seeds=8), is_higher_better=True)
    assert (found.interval, found.p_value, found.winner) == (None, None, None)
    assert "no winner: its interval is not known" in found.sentence()


def test_seeds_of_one_prompt_count_as_one() -> None:
    """Many seeds of few prompts: by prompt the difference is nothing, by image it would be sure."""
    first = {(prompt, seed): 0.0 for prompt in range(6) for seed in range(50)}
    second = {(prompt, seed): (1.0, -0.6)[prompt % 2] + seed / 1e3 for prompt, seed in first}
    both = ImageScores("a", first, PROTOCOL), ImageScores("b", second, PROTOCOL)
    assert paired_difference(*both, is_higher_better=True).winner is None
    assert mean_interval(list(second.values()))[0] > 0


def test_the_permutation_test_is_exact_for_few_prompts() -> None:
    sums = np.array([0.5, 1.0, -0.25, 2.0])
    flips = [np.dot(signs, sums) for signs in product((-1, 1), repeat=4)]
    exact = np.mean(np.abs(flips) >= abs(sums.sum()) - 1e-12)
    assert permutation_p(sums, np.arange(4)) == pytest.approx(exact)


def test_the_permutation_test_finds_a_difference_by_chance_in_5_of_100() -> None:
    rng = np.random.default_rng(0)
    found = [permutation_p(rng.normal(size=9), np.arange(9)) <= 0.05 for _ in range(400)]
    assert 0.02 <= np.mean(found) <= 0.08


def test_images_without_a_partner_are_left_out_and_told() -> None:
    first, second = systems(0.1)
    fewer = ImageScores("b", dict(list(second.values.items())[:90]), PROTOCOL)
    found = paired_difference(first, fewer, is_higher_better=True)
    assert found.n == 90 and "30 images without a partner left out" in found.sentence()


def test_other_protocols_and_no_common_prompts_are_refused() -> None:
    first, second = systems(0.1)
    other = ImageScores("b", second.values, PROTOCOL | {"seeds": 4})
    with pytest.raises(ValueError, match=r"cannot share a difference \(seeds is 3 there, 4 here\)"):
        paired_difference(first, other, is_higher_better=True)
    with pytest.raises(ValueError, match="same prompts and seeds"):
        paired_difference(first, ImageScores("b", {("x", 0): 1.0}, PROTOCOL), True)


def test_a_distance_counts_pairs_of_prompts_once_where_all_images_are_common() -> None:
    first, second = systems(0.1, seeds=1)
    sums = 0.3 * np.random.default_rng(1).normal(size=780)  # 40 prompts have 780 pairs
    pair = replace(first, pairs=np.zeros(780)), replace(second, pairs=sums)
    plain, found = (paired_difference(*each, True) for each in ((first, second), pair))
    assert found.value == plain.value and "paired influence functions" in found.method
    values = np.array(list(second.values.values())) - np.array(list(first.values.values()))
    first_order, both = values.var(ddof=1) / 40, (sums**2).mean() * 39 / (2 * 40**3)
    reach = stats.t.ppf(0.975, 39) * (first_order - both) ** 0.5
    assert found.interval == pytest.approx((found.value - reach, found.value + reach))
    fewer = replace(pair[1], values=dict(list(second.values.items())[:30]))
    assert "bootstrap over 30 prompts" in paired_difference(pair[0], fewer, True).method


@pytest.mark.parametrize(
    ("interval", "is_higher_better", "winner"),
    [
        ((0.1, 0.2), True, "b"),
        ((0.1, 0.2), False, "a"),
        ((-0.2, -0.1), True, "a"),
        ((0.0, 0.2), True, None),
        ((-0.1, 0.2), False, None),
        (None, True, None),
    ],
)
def test_a_winner_is_named_only_where_the_interval_allows_it(
    interval: tuple | None, is_higher_better: bool, winner: str | None
) -> None:
    found = Difference("a", "b", 0.15, interval, 0.01, 9, "by hand", is_higher_better)
    assert found.winner == winner
    assert ("is better" in found.sentence()) == (winner is not None)
