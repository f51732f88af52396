"""The plan of an ablation: which cells it consists of, what each needs, and where each stands in
which figure. Read from the definition alone; nothing is looked up in runs/.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagen_lit.ablation import axis, cell
from imagen_lit.ablation.axis import Choice
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition

Choices = tuple[Choice, ...]
# Whether a setting changes anything beside the usual ones of a command; else no name tells it.
Differs = Callable[[str, Mapping[str, Any], str, Any], bool]
# The cells that a training or a drawing needs: shards, its text encoder, its text cache.
Preparation = Callable[[Definition, str, Mapping[str, Any]], list[Cell]]


@dataclass(frozen=True)
class Point:
    """Where a drawing stands in a figure: its arm, its training's seed, its place on the axes."""

    cell: str
    arm: Mapping[str, str]
    seed: int
    at: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """`cells` by name, each after those that it needs; `points` of each figure by its name."""

    definition: Definition
    cells: Mapping[str, Cell]
    points: Mapping[str, tuple[Point, ...]]

    def of(self, command: str) -> list[Cell]:
        """The cells of a command."""
        return [each for each in self.cells.values() if each.command == command]


def plan(definition: Definition, runs: str, differs: Differs, prepare: Preparation) -> Plan:
    """All cells, and the points of all figures."""
    cells: dict[str, Cell] = {}
    points: dict[str, list[Point]] = {figure.name: [] for figure in definition.figures}

    def add(cell: Cell, before: list[Cell]) -> Cell:
        needs = (*(each.name for each in before), *cell.needs)
        cells.update({each.name: each for each in before})
        return cells.setdefault(cell.name, replace(cell, needs=tuple(dict.fromkeys(needs))))

    def train(stage: str, choices: Choices, seed: int) -> Cell:
        cell = training(definition, stage, choices, seed, differs)
        return add(cell, prepare(definition, "train", cell.settings))

    def draw(stages: Sequence[str], trained: Sequence[Cell], choices: Choices) -> Cell:
        places = [f"{runs}/{each.name}" for each in trained]
        cell = drawing(definition, stages, places, trained, choices, differs)
        before = prepare(definition, EVALUATE, cell.settings)
        if len(stages) > 1:  # the smaller images are drawn once for all that enlarge them
            smaller = draw(stages[:-1], trained[:-1], choices)
            start = {"start_from": f"{runs}/{smaller.name}"}
            cell = replace(cell, settings=cell.settings | start)
            before = [*before, smaller]
        return add(cell, before)

    for choices in axis.product(definition.arms):
        for seed in definition.seeds:
            trained = [train(stage, choices, seed) for stage in definition.stages]
            arm = {choice.axis: choice.label for choice in choices}
            for figure in definition.figures:
                for at in axis.product(figure.points):
                    cell = draw(definition.stages, trained, (*choices, *at))
                    labels = {choice.axis: choice.label for choice in at}
                    points[figure.name].append(Point(cell.name, arm, seed, labels))
    return Plan(definition, cells, {name: tuple(each) for name, each in points.items()})


def training(
    definition: Definition, stage: str, choices: Choices, seed: int, differs: Differs
) -> Cell:
    """The training of a stage with these choices and this seed."""
    usual = definition.usual[stage]
    own = {**definition.own[stage], **axis.settings(choices, stage), "seed": seed}
    different = {k: v for k, v in own.items() if k == "seed" or differs("train", usual, k, v)}
    name = f"ablation/{definition.scale}/{stage}/{cell.folder_name(different)}"
    return Cell("train", _ordered({**usual, **own}) | {"name": name}, name)


def drawing(
    definition: Definition,
    stages: Sequence[str],
    places: Sequence[str],
    trained: Sequence[Cell],
    choices: Choices,
    differs: Differs,
) -> Cell:
    """A drawing by these stages, whose runs are in `places`. What concerns later stages alone is
    left out."""
    later = definition.stages[len(stages) :]
    usual = {**definition.cascades[stages[-1]], **definition.usual[EVALUATE]}
    own = {**definition.own[EVALUATE], **axis.settings(choices, EVALUATE)}
    own = {k: v for k, v in own.items() if not any(_is_of(stage, k) for stage in later)}
    trained_with = [each.settings.items() for each in trained]
    drawn = {
        key: value
        for key, value in own.items()
        if key.partition(".")[0] not in MEASURES
        and not any((key, value) in each for each in trained_with)
    }
    different = {k: v for k, v in drawn.items() if differs(EVALUATE, usual, k, v)}
    who = "/".join(each.name.rpartition("/")[2] for each in trained)
    name = f"ablation/{definition.scale}/{stages[-1]}_drawn/{who}/{cell.folder_name(different)}"
    runs = {f"cascade.{stage}.run": place for stage, place in zip(stages, places, strict=True)}
    settings = _ordered({**usual, **own}) | runs | {"name": name}
    return Cell(EVALUATE, settings, name, tuple(each.name for each in trained))


def _is_of(stage: str, key: str) -> bool:
    """Whether a setting of `evaluate` concerns this stage of the cascade."""
    return f"cascade.{stage}." in f"{key.rpartition('@')[2]}."


def _ordered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Groups before the values that override a part of them."""
    return dict(sorted(settings.items(), key=lambda item: "." in item[0].partition("@")[0]))
