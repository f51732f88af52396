"""How far each arm responds to what varies along its line, such as the guidance weight: each score
at the last place less that at the first, by training, and whether the arms differ in it.
"""

from collections.abc import Iterator

from imagen_lit.evaluation.training_seeds import Arm, arm_difference, training_spread
from imagen_lit.report.ablation_comparison import totals
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.report.ablation_table import NONE, number, numbers
from imagen_lit.report.document import Block, Table, Words


def blocks(marks: Marks) -> Iterator[Block]:
    """A table over the scores; nothing where places are no dose: words, or the age of a training;
    nothing with single trainings, whose changes have no interval over trainings."""
    if not marks.is_dose or marks.planned_seeds < 2 or len(marks.arms) < 2:
        return
    first, last = marks.places[0], marks.places[-1]
    rows = [row for metric in marks.scores for row in _rows(marks, metric)]
    if not rows:
        return
    yield Words([f"What a {marks.parameter} of {last} changes against {first}:"])
    heads = ("score", "arm", "change [95 %]", "trainings")
    yield Table((*heads, f"minus that of {marks.spoken(marks.arms[0])} [95 %]"), rows)
    words = "Each training changes by itself; intervals are over trainings (t), each for itself."
    yield Words([words], "soft")


def changes(marks: Marks, metric: str, arm: str) -> list[float]:
    """By training, of those that have the first and the last place."""
    ends = [totals(marks, metric, arm, (place,)) for place in (marks.places[0], marks.places[-1])]
    return [ends[1][seed] - value for seed, value in ends[0].items() if seed in ends[1]]


def _rows(marks: Marks, metric: str) -> Iterator[tuple[str, ...]]:
    own = {arm: changes(marks, metric, arm) for arm in marks.arms}
    beginning = own[marks.arms[0]]
    for arm, values in own.items():
        if len(values) < 2:
            continue
        spread = training_spread([[value] for value in values])
        other = NONE
        if arm != marks.arms[0] and len(beginning) > 1:
            arms = Arm(marks.arms[0], beginning, {}), Arm(arm, values, {})
            found = arm_difference(*arms, is_higher_better=True)
            other = number(numbers(found), sign=True)
        count = f"{len(values)} of {marks.planned_seeds}"
        change = number((spread.mean, *(spread.interval or (None, None))), sign=True)
        yield metric, marks.spoken(arm), change, count, other
