"""The marks of one figure of an ablation: what each drawing scored, where it stands along a line,
and what is missing. Read from the run folders alone.

Two protocols never share a figure: the one that most drawings have stays, and the others are named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imagen_lit.ablation import figure_scores
from imagen_lit.ablation.axis import CLOCKS
from imagen_lit.ablation.definition import Definition, Figure
from imagen_lit.ablation.figure_scores import CURVES
from imagen_lit.ablation.plan import Plan, Point
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.report import arm_name, training_clock
from imagen_lit.run import evaluation_facts, run_facts

DONE = "done"  # and "done with other code": a state that begins so
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """`along`: where it stands on its line, in words; `rows`: by metric, a row of scores.json;
    `clock`: images, seconds and flops of the training that drew it, where known."""

    arm: str
    along: str
    seed: int
    cell: str
    rows: Mapping[str, Row]
    clock: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Lack:
    """A mark that is planned and not there, and why."""

    arm: str
    along: str
    seed: int
    why: str


@dataclass(frozen=True)
class Marks:
    """All marks of a figure. `scores`: its metrics, y before x; `parameter`: the axis along its
    lines, or a clock; empty where each arm is a single mark."""

    figure: Figure
    scores: tuple[str, ...]
    words: Mapping[str, str]
    parameter: str
    in_time: bool  # the last place counts, not the mean over all places
    arms: tuple[str, ...]
    places: tuple[str, ...]
    planned_seeds: int
    marks: tuple[Mark, ...]
    protocols: Mapping[str, Any]
    missing: tuple[Lack, ...]
    refused: tuple[str, ...]
    columns: Mapping[str, str]  # of each arm, where x is an axis of the arms: its label there
    axes: tuple[str, ...]  # whose labels, in this order, make an arm

    def of(self, arm: str, along: str | None = None) -> list[Mark]:
        """Those of an arm, at one place or at all."""
        return [m for m in self.marks if m.arm == arm and along in (None, m.along)]

    @property
    def is_dose(self) -> bool:
        """Whether the places of a line are several numbers, and not the ages of a training."""
        return (
            len(self.places) > 1 and not self.in_time and all(map(arm_name.is_number, self.places))
        )

    def spoken(self, arm: str) -> str:
        """The arm as people read it: beside a number stands what it is."""
        return arm_name.spoken(arm, self.axes)

    def hash_of(self, metric: str) -> str:
        """The protocol that all marks share for this metric; empty without marks or protocol."""
        return next((str(m.rows[metric]["protocol"]) for m in self.marks if metric in m.rows), "")


def read(plan: Plan, figure: Figure, entries: Mapping[str, Any], runs: Path) -> Marks:
    """The marks of a figure, as many as there are."""
    definition = plan.definition
    axes = figure_scores.words(definition, figure)
    scores = tuple(dict.fromkeys(figure_scores.metric(definition, word) for word in axes))
    words = {figure_scores.metric(definition, word): _words(definition, word) for word in axes}
    parameter = _parameter(definition, figure)
    points = plan.points[figure.name]
    arms = tuple(dict.fromkeys(arm_name.of(definition, figure, parameter, p) for p in points))
    marks: list[Mark] = []
    protocols: dict[str, Any] = {}
    missing: list[Lack] = []
    for point in points:
        arm, along = arm_name.of(definition, figure, parameter, point), _along(point, parameter)
        if figure.y.startswith(CURVES):
            found = list(_curve(plan, figure, point, arm, runs))
            why = "" if found else _no_curve(plan, figure, point, runs)
        else:
            mark, why = _mark(plan, figure, point, entries, runs, protocols, scores)
            found = [] if mark is None else [replace(mark, arm=arm, along=along)]
        marks += found
        missing += [Lack(arm, along, point.seed, why)] if why else []
    good, refused = _of_one_protocol(marks, scores, protocols, parameter)
    places = tuple(dict.fromkeys(_along(point, parameter) for point in points))
    if figure.y.startswith(CURVES):
        places = tuple(sorted({mark.along for mark in good}, key=float))
    return Marks(
        figure,
        scores,
        words,
        parameter,
        _is_time(figure, parameter),
        arms,
        places,
        len(definition.seeds),
        tuple(good),
        protocols,
        tuple(missing),
        tuple(refused),
        {
            arm_name.of(definition, figure, parameter, p): {**p.arm, **p.at}[figure.x]
            for p in points
            if figure.x != parameter and figure.x in {**p.arm, **p.at}
        },
        arm_name.axes(definition, figure, parameter),
    )


def _mark(
    plan: Plan,
    figure: Figure,
    point: Point,
    entries: Mapping[str, Any],
    runs: Path,
    protocols: dict[str, Any],
    scores: Sequence[str],
) -> tuple[Mark | None, str]:
    """The mark of a drawing, or why there is none; its protocols are added to those known."""
    entry, stage = entries.get(point.cell), plan.definition.stages[-1]
    state = "not in the ledger" if entry is None else str(entry.state)
    if not state.startswith(DONE):
        return None, f"{state}: {entry.why}" if entry is not None and entry.why else state
    facts = evaluation_facts.read(runs / point.cell, point.cell)
    if facts is None:
        return None, "its scores cannot be read"
    rows = {r["metric"]: r for r in facts.rows if r["stage"] == stage and r["metric"] in scores}
    if lack := [name for name in scores if name not in rows]:
        return None, f"it has no {' and no '.join(lack)}"
    clock = _clock(plan, point, facts.images.get(stage), runs)
    if figure.x in CLOCKS and figure.x not in clock:
        return None, f"the {figure.x} of its training are not known"
    protocols |= {
        row["protocol"]: facts.protocols.get(row["protocol"], {}) for row in rows.values()
    }
    return Mark("", "", point.seed, point.cell, rows, clock), ""


def training(plan: Plan, point: Point) -> str:
    """The cell of the last stage's training that drew a point."""
    needs = [plan.cells[name] for name in plan.cells[point.cell].needs if name in plan.cells]
    return [each.name for each in needs if each.command == "train"][-1]


def _parameter(definition: Definition, figure: Figure) -> str:
    """What varies along a line. An axis of the arms does not: its arms are what is compared."""
    if figure.y.startswith(CURVES):
        return figure.x if figure.x in CLOCKS else "images"
    inner = [each.name for each in figure.points if each.name != figure.line]
    if figure.line is None and _is_in_words(figure):
        inner.remove(figure.x)  # what is compared stands along x
    return figure.x if figure.x in inner else inner[0] if inner else ""


def _is_in_words(figure: Figure) -> bool:
    """Whether x is an axis of the points whose labels are no numbers."""
    labels = [c.label for each in figure.points if each.name == figure.x for c in each.choices]
    return not all(map(arm_name.is_number, labels))


def _is_time(figure: Figure, parameter: str) -> bool:
    """Whether places follow each other in training."""
    if figure.x in CLOCKS or parameter in CLOCKS:
        return True
    settings = [
        key for a in figure.points if a.name == parameter for c in a.choices for key in c.settings
    ]
    return bool(settings) and all(key.endswith(".images") for key in settings)


def _along(point: Point, parameter: str) -> str:
    return {**point.arm, **point.at}.get(parameter, "")


def _name(arm: str, along: str, parameter: str) -> str:
    return f"{arm}, {parameter} {along}" if along else arm


def _words(definition: Definition, word: str) -> str:
    name = figure_scores.metric(definition, word)
    return name if name == word else f"{word} ({name})"


def _clock(plan: Plan, point: Point, images: int | None, runs: Path) -> dict[str, float]:
    if images is None:
        return {}
    folder = runs / training(plan, point)
    return {"images": float(images)} | training_clock.at(folder, images)


def _curve(plan: Plan, figure: Figure, point: Point, arm: str, runs: Path) -> Iterator[Mark]:
    """The curve of a training, from its metrics.jsonl."""
    name = training(plan, point)
    facts = run_facts.read(runs / name, name)
    for images, value, *ends in facts.series.get(figure.y, ()):
        clock = {"images": float(images)} | training_clock.at(runs / name, images)
        row: dict[str, Any] = {"value": value, "interval": ends or None}
        row["protocol"] = facts.protocols.get(figure.y, "")
        if figure.x in ("images", *clock):
            yield Mark(arm, f"{images:g}", point.seed, name, {figure.y: row}, clock)


def _no_curve(plan: Plan, figure: Figure, point: Point, runs: Path) -> str:
    """Why the curve of a training is empty."""
    name = training(plan, point)
    if run_facts.read(runs / name, name).series.get(figure.y):
        return f"the {figure.x} of its training are not known"
    return f"its training has no {figure.y} yet"


def _of_one_protocol(
    marks: Sequence[Mark], scores: Sequence[str], protocols: Mapping[str, Any], parameter: str
) -> tuple[list[Mark], list[str]]:
    """The marks that share the protocols of most, and a sentence for each other one."""
    good, refused = list(marks), []
    for name in scores:
        counts = Counter(str(mark.rows[name]["protocol"]) for mark in marks)
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        for mark in marks:
            own = str(mark.rows[name]["protocol"])
            if own == usual:
                continue
            good = [each for each in good if each is not mark]
            facts = (flatten(dict(protocols.get(each, {}))) for each in (usual, own))
            refused.append(
                f"{_name(mark.arm, mark.along, parameter)}, seed {mark.seed} is not shown: its "
                f"{name} has the protocol {own}, the others have {usual} ({settings_diff(*facts)})"
            )
    return good, refused
