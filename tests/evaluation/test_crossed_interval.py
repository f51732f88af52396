"""The interval of votes holds the truth as often as it says, where raters and prompts differ."""

import math

import numpy as np
import pytest

from imagen_lit.evaluation import confidence_interval, crossed_interval

REPEATS = 400


def votes(
    draw: np.random.Generator, raters: int, prompts: int, by_rater: float, by_prompt: float
) -> tuple[np.ndarray, list[int], list[int]]:
    """Votes of 0, 1/2 and 1 whose expectation over raters and prompts is 1/2 by symmetry."""
    taste = by_rater * draw.standard_normal(raters)[:, None]
    taste = taste + by_prompt * draw.standard_normal(prompts)[None, :]
    noisy = taste + draw.standard_normal((raters, prompts))
    values = np.where(noisy > 0.4, 1.0, np.where(noisy < -0.4, 0.0, 0.5))
    places = np.indices((raters, prompts)).reshape(2, -1)
    return values.ravel(), places[0].tolist(), places[1].tolist()


@pytest.mark.parametrize(
    ("raters", "prompts", "by_rater", "by_prompt"),
    [(25, 20, 0.0, 0.0), (25, 20, 0.5, 1.0), (10, 40, 1.0, 0.3), (25, 10, 0.0, 1.0)],
)
def test_the_interval_holds_the_truth_in_93_to_98_percent(
    raters: int, prompts: int, by_rater: float, by_prompt: float
) -> None:
    draw, hits = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        low, high = crossed_interval.share(*votes(draw, raters, prompts, by_rater, by_prompt))
        hits += low <= 0.5 <= high
    assert 0.93 <= hits / REPEATS <= 0.985, hits / REPEATS


def test_an_interval_that_takes_votes_as_independent_holds_it_far_too_rarely() -> None:
    """What the clusters are for: the same votes under Wilson's interval alone."""
    draw, hits = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        values, *_ = votes(draw, 25, 10, 0.0, 1.0)
        low, high = confidence_interval.wilson(round(values.sum()), len(values))
        hits += low <= 0.5 <= high
    assert hits / REPEATS < 0.6


def test_independent_votes_give_about_wilsons_interval() -> None:
    draw = np.random.default_rng(0)
    values = (draw.random(4000) < 0.3).astype(float)
    each = list(range(4000))
    low, high = crossed_interval.share(values, each, each)
    wilson = confidence_interval.wilson(int(values.sum()), 4000)
    assert (low, high) == pytest.approx(wilson, abs=1e-3)


def test_one_rater_is_clustered_by_prompt_and_one_prompt_by_rater() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 1.0]
    one, each = [0] * 5, [*range(5)]
    assert crossed_interval.mean(values, one, each) == crossed_interval.mean(values, each, one)
    low, high = crossed_interval.mean(values, one, each)
    deviation = np.std(values, ddof=1) / math.sqrt(5)
    assert (high - low) / 2 == pytest.approx(2.7764451 * deviation), "t of 4 degrees of freedom"


def test_agreement_of_all_votes_is_no_certainty() -> None:
    raters, prompts = [0, 0, 1, 1, 2, 2], [0, 1] * 3
    low, high = crossed_interval.share([1.0] * 6, raters, prompts)
    assert high == 1.0 and low == pytest.approx(2 / (2 + 1.959964**2)), "Wilson's of two prompts"
    low, high = crossed_interval.share([0.0] * 6, raters, prompts)
    assert low == 0.0 and 0.5 < high < 1


def test_a_single_vote_has_no_interval() -> None:
    assert crossed_interval.share([1.0], [0], [0]) is None
    assert crossed_interval.mean([7.0], [0], [0]) is None


def test_doubling_the_votes_of_a_rater_on_a_prompt_adds_no_certainty() -> None:
    """A cluster that repeats itself is no new evidence."""
    draw = np.random.default_rng(3)
    values, raters, prompts = votes(draw, 6, 8, 0.5, 0.5)
    once = crossed_interval.mean(values, raters, prompts)
    twice = crossed_interval.mean([*values, *values], [*raters, *raters], [*prompts, *prompts])
    assert once == pytest.approx(twice)
