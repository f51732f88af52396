"""In which order a rater sees the trials, and which set on which side.

Raters come in blocks of as many as a trial has sets: two, for a pair. Within a block all see the
same prompts, and each set is in each place once. A rater sees a system on the left as often as on
the right, but for one trial where their number is odd. All of it follows from the seed and the
rater's number, so that a reload changes nothing.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.rating.trial import Trial


@dataclass(frozen=True)
class Step:
    """One question of a trial, with the numbers of the sets that it shows, from left to right."""

    trial: int
    question: int
    places: tuple[int, ...]


def steps(trials: Sequence[Trial], rater: int, seed: int, most: int | None) -> list[Step]:
    """All that this rater is asked, in order; about `most` prompts, or all of them."""
    order = _interleave(trials, rater, seed, _selection(trials, rater, seed, most))
    turns = _turns(trials, sorted(order), rater, seed)
    return [step for number in order for step in _trial(trials[number], number, turns[number])]


def _block(trial: Trial, rater: int) -> tuple[int, int]:
    return divmod(rater, max(1, len(trial.sets)))


def _selection(trials: Sequence[Trial], rater: int, seed: int, most: int | None) -> set[str]:
    """Which prompts: a window over all of them, which moves on from block to block."""
    prompts = list(dict.fromkeys(trial.prompt for trial in trials if trial.right is None))
    count = len(prompts) if most is None else min(most, len(prompts))
    order = random.Random(f"prompts {seed}").sample(prompts, len(prompts))
    start = rater // max(len(trial.sets) for trial in trials) * count
    return {order[(start + number) % len(order)] for number in range(count)}


def _interleave(trials: Sequence[Trial], rater: int, seed: int, prompts: set[str]) -> list[int]:
    """The trials of these prompts in random order, with their share of the controls spread among
    them."""
    draw = random.Random(f"order {seed} {rater}")
    plain = [n for n, trial in enumerate(trials) if trial.right is None]
    controls = [n for n, trial in enumerate(trials) if trial.right is not None]
    order = [number for number in plain if trials[number].prompt in prompts]
    draw.shuffle(order)
    draw.shuffle(controls)
    count = -(-len(controls) * len(order) // len(plain))
    places = [(number + 1) * len(order) // (count + 1) for number in range(count)]
    for place, control in reversed(list(zip(places, controls, strict=False))):
        order.insert(place, control)
    return order


def _turns(
    trials: Sequence[Trial], numbers: Sequence[int], rater: int, seed: int
) -> dict[int, int]:
    """By how many places the sets of each trial are turned: each number as often as any other,
    among the trials of the same systems."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number in numbers:
        groups.setdefault(trials[number].systems, []).append(number)
    turns = {}
    for systems, group in groups.items():
        block, shift = _block(trials[group[0]], rater)
        draw = random.Random(f"sides {seed} {block} {'/'.join(systems)}")
        places = [place % len(systems) for place in range(len(group))]
        draw.shuffle(places)
        for number, place in zip(group, places, strict=True):
            turns[number] = (place + shift) % len(systems)
    return turns


def _trial(trial: Trial, number: int, turn: int) -> list[Step]:
    """The questions about the caption, then those about each set in turn, then about the pair."""
    count = len(trial.sets)
    places = tuple((place + turn) % count for place in range(count))
    numbers: dict[str, list[int]] = {"caption": [], "set": [], "pair": []}
    for question, each in enumerate(trial.questions):
        numbers[each.subject].append(question)
    return [
        *(Step(number, question, ()) for question in numbers["caption"]),
        *(Step(number, question, (place,)) for place in places for question in numbers["set"]),
        *(Step(number, question, places) for question in numbers["pair"]),
    ]
