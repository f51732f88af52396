"""Each rater sees everything once, sides are balanced, and nothing depends on the clock."""

from collections import Counter
from pathlib import Path

import pytest
import rated_images
from hypothesis import given
from hypothesis import strategies as st

from imagen_lit.rating.coco import Coco
from imagen_lit.rating.drawbench import DrawBench
from imagen_lit.rating.fine import Fine
from imagen_lit.rating.question import Answer, Question
from imagen_lit.rating.rater_order import Step, steps
from imagen_lit.rating.trial import PictureSet, Trial

PAIR = Question("q", "?", (Answer("a", 1.0), Answer("b", 0.0)), "pair")


def pair_trials(prompts: int, pairings: int = 1) -> list[Trial]:
    return [
        Trial(f"p{n}", (), (PictureSet("a", ("1",)), PictureSet(f"b{k}", ("1",))), (PAIR,))
        for k in range(pairings)
        for n in range(prompts)
    ]


def lefts(trials: list[Trial], order: list[Step]) -> Counter[tuple[str, bool]]:
    """How often each pairing has its first system on the left, and on the right."""
    return Counter((trials[each.trial].systems[1], each.places[0] == 0) for each in order)


@given(st.integers(1, 40), st.integers(1, 3), st.integers(0, 60), st.integers(0, 9))
def test_a_rater_sees_a_system_left_as_often_as_right(
    prompts: int, pairings: int, rater: int, seed: int
) -> None:
    trials = pair_trials(prompts, pairings)
    counts = lefts(trials, steps(trials, rater, seed, None))
    for number in range(pairings):
        assert abs(counts[f"b{number}", True] - counts[f"b{number}", False]) <= 1


@given(st.integers(1, 30), st.integers(0, 20), st.integers(0, 9), st.integers(1, 40))
def test_two_raters_of_a_block_see_each_pair_from_both_sides(
    prompts: int, block: int, seed: int, most: int
) -> None:
    trials = pair_trials(prompts)
    one, other = (
        {step.trial: step.places for step in steps(trials, 2 * block + n, seed, most)}
        for n in range(2)
    )
    assert one.keys() == other.keys()
    assert all(one[trial] == other[trial][::-1] for trial in one)


def test_every_rater_answers_every_question_about_every_set_once(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "original", "ours", "theirs")
    for protocol in (DrawBench(), Fine(), Coco()):
        trials = protocol.trials(systems, 0)
        order = steps(trials, 3, 0, None)
        assert len(set(order)) == len(order)
        for number, trial in enumerate(trials):
            if trial.right is not None:
                continue
            for question, each in enumerate(trial.questions):
                places = [s.places for s in order if (s.trial, s.question) == (number, question)]
                wanted = {"caption": [()], "set": [(n,) for n in range(len(trial.sets))]}
                assert sorted(map(tuple, map(sorted, places))) == wanted.get(each.subject, [(0, 1)])


def test_raters_see_different_orders_and_the_same_one_after_a_reload() -> None:
    trials = pair_trials(12)
    orders = [tuple(steps(trials, rater, 0, None)) for rater in range(6)]
    assert len(set(orders)) == 6
    assert orders == [tuple(steps(trials, rater, 0, None)) for rater in range(6)]


def test_a_part_of_the_prompts_moves_on_until_all_are_seen_equally_often() -> None:
    trials = pair_trials(12)
    seen = Counter(step.trial for rater in range(12) for step in steps(trials, rater, 0, 4))
    assert set(seen.values()) == {4} and len(seen) == 12


def test_controls_are_spread_over_the_whole_session(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "original", "ours", prompts=20, images=1)
    trials = Coco(controls=10).trials(systems, 0)
    order = steps(trials, 5, 0, None)
    places = [n for n, step in enumerate(order) if trials[step.trial].right is not None]
    assert len(places) == pytest.approx(len(order) / 10, abs=1)
    gaps = [b - a for a, b in zip([0, *places], [*places, len(order)], strict=True)]
    assert max(gaps) <= 12


def test_a_single_set_comes_first_as_often_as_the_other(tmp_path: Path) -> None:
    systems = rated_images.systems(tmp_path, "ours", "theirs", prompts=8)
    trials = Fine().trials(systems, 0)
    firsts: dict[int, tuple[int, ...]] = {}
    for step in steps(trials, 7, 0, None):
        if step.places:
            firsts.setdefault(step.trial, step.places)
    assert Counter(firsts.values()) == {(0,): 4, (1,): 4}
