"""Every two arms of a figure beside each other, by each of its scores.

A training counts once: by the mean over the places of its line that both arms have, or, where
places follow each other in training, by the last of them. With several training seeds the
difference has an interval over trainings; with a single one, over prompts alone.
"""

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation import direction, variance_components
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.paired_difference import ImageScores, paired_difference
from imagen_lit.evaluation.training_seeds import Arm, arm_difference
from imagen_lit.evaluation.verdict import Verdict, verdicts
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.run import evaluation_facts

Pair = tuple[str, str]


@dataclass(frozen=True)
class Comparison:
    """`verdict` is None where nothing can be compared yet; `over`: trainings, or prompts."""

    metric: str
    pair: Pair
    places: tuple[str, ...]
    verdict: Verdict | None
    over: str = ""

    @property
    def is_tested(self) -> bool:
        """Whether chance could be told from a difference here."""
        return self.verdict is not None and self.verdict.chance is not None

    @property
    def is_apart(self) -> bool:
        """Whether the two arms can be told apart."""
        return self.verdict is not None and self.verdict.is_apart

    @property
    def better(self) -> str | None:
        """The better arm; None where they cannot be told apart."""
        return None if self.verdict is None else self.verdict.winner

    @property
    def worse(self) -> str | None:
        """The other one of the two."""
        return next((arm for arm in self.pair if arm != self.better), None) if self.better else None


def all_pairs(figures: Sequence[Marks], runs: Path) -> dict[str, list[Comparison]]:
    """The comparisons of each figure, by its name; those of all figures are one family."""
    found: dict[str, list[tuple[str, Pair, tuple[str, ...], Difference | None, str]]] = {}
    for marks in figures:
        found[marks.figure.name] = [
            (metric, pair, *difference(marks, metric, pair, runs))
            for metric in marks.scores
            for pair in itertools.combinations(marks.arms, 2)
        ]
    known = [each[3] for some in found.values() for each in some if each[3] is not None]
    judged = iter(verdicts(known))
    return {
        name: [
            Comparison(metric, pair, places, None if each is None else next(judged), over)
            for metric, pair, places, each, over in some
        ]
        for name, some in found.items()
    }


def difference(
    marks: Marks, metric: str, pair: Pair, runs: Path, along: str | None = None
) -> tuple[tuple[str, ...], Difference | None, str]:
    """The places that count, the second arm minus the first, and over what its interval reaches.
    `along`: at this place alone."""
    places = common_places(marks, pair) if along is None else (along,)
    one, two = (totals(marks, metric, arm, places) for arm in pair)
    if not one or not two:
        return places, None, ""
    better = is_higher_better(metric)
    protocol = marks.protocols.get(marks.hash_of(metric), {})
    if len(one) + len(two) > 2:
        arms = (
            Arm(pair[0], list(one.values()), protocol),
            Arm(pair[1], list(two.values()), protocol),
        )
        return places, arm_difference(arms[0], arms[1], better is not False), "trainings"
    return places, over_prompts(marks, metric, pair, places, runs), "prompts"


def over_prompts(
    marks: Marks, metric: str, pair: Pair, places: Sequence[str], runs: Path
) -> Difference | None:
    """The difference of these very trainings, prompt by prompt. Where no value of each image is
    known, that of their scores, with an interval that is no test; None where there is none."""
    better = is_higher_better(metric) is not False
    protocol = marks.protocols.get(marks.hash_of(metric), {})
    first, second = (
        ImageScores(arm, _image_values(marks, metric, arm, places, runs), protocol) for arm in pair
    )
    try:
        return paired_difference(first, second, better)
    except InputError:
        return _unpaired(marks, metric, pair, places, better)


def _unpaired(
    marks: Marks, metric: str, pair: Pair, places: Sequence[str], better: bool
) -> Difference | None:
    """The interval from those of the scores themselves, as if the arms had drawn other prompts;
    since they drew the same ones, it is rather too wide. At several places the mean width counts,
    because these share their prompts too."""
    one, two = (totals(marks, metric, arm, places) for arm in pair)
    seeds = [seed for seed in one if seed in two]
    if not seeds:
        return None
    value = sum(two[seed] - one[seed] for seed in seeds) / len(seeds)
    reaches = [_reach(marks, metric, arm, places) for arm in pair]
    interval, how = None, "no value of each image is known"
    if None not in reaches:
        reach = math.hypot(*reaches)  # type: ignore[arg-type]
        interval, how = (value - reach, value + reach), "not in pairs, from both intervals"
    return Difference(*pair, value, interval, None, len(seeds), how, better)


def _reach(marks: Marks, metric: str, arm: str, places: Sequence[str]) -> float | None:
    """Half of the mean width of a score's intervals at these places; None where one lacks."""
    rows = [mark.rows[metric] for mark in marks.of(arm) if mark.along in places]
    ends = [row.get("interval") for row in rows]
    if not ends or None in ends:
        return None
    return sum(high - low for low, high in ends) / (2 * len(ends))  # type: ignore[misc]


def common_places(marks: Marks, pair: Pair) -> tuple[str, ...]:
    """Of the places at which both arms have the most trainings: all, or the last one."""
    counts = {
        place: min(len({m.seed for m in marks.of(arm, place)}) for arm in pair)
        for place in marks.places
    }
    most = max(counts.values(), default=0)
    places = tuple(place for place, count in counts.items() if count == most > 0)
    return places[-1:] if marks.in_time else places


def totals(marks: Marks, metric: str, arm: str, places: Sequence[str]) -> dict[int, float]:
    """By training seed, the mean over these places; only of trainings that have all of them."""
    found: dict[int, dict[str, float]] = {}
    for mark in marks.of(arm):
        if mark.along in places:
            found.setdefault(mark.seed, {})[mark.along] = float(mark.rows[metric]["value"])
    return {
        seed: sum(values.values()) / len(values)
        for seed, values in sorted(found.items())
        if len(values) == len(places)
    }


def spread(marks: Marks, metric: str, places: Sequence[str]) -> float | None:
    """The standard deviation over trainings of one arm, from all arms together."""
    groups = [list(totals(marks, metric, arm, places).values()) for arm in marks.arms]
    groups = [group for group in groups if group]
    return variance_components.variance_components(groups).within if groups else None


def is_higher_better(metric: str) -> bool | None:
    """Which way a score of an evaluation, or a number of metrics.jsonl, is better."""
    if "loss" in metric:
        return False
    if metric.startswith("score/alignment"):
        return True
    return direction.is_higher_better(metric.removeprefix("score/"))


def _image_values(
    marks: Marks, metric: str, arm: str, places: Sequence[str], runs: Path
) -> dict[tuple[Hashable, int], float]:
    """By prompt, and by a number for each seed, training seed and place: the same in all arms."""
    trainings = sorted({mark.seed for mark in marks.marks})
    values: dict[tuple[Hashable, int], float] = {}
    for mark in marks.of(arm):
        if mark.along not in places:
            continue
        which = trainings.index(mark.seed) * len(places) + places.index(mark.along)
        own = evaluation_facts.image_values(runs / mark.cell, mark.rows[metric])
        for (prompt, seed), value in own.items():
            values[prompt, seed * len(trainings) * len(places) + which] = value
    return values
