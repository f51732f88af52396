"""The plan of an ablation: which cells it consists of, what each needs, and where each stands in
which figure. Read from the definition alone; nothing is looked up in runs/.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagen_lit.ablation import axis, cell
from imagen_lit.ablation.axis import Choice
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition, Figure

# Whether a setting changes anything beside the usual ones of a command; else it is left out of names.
Differs = Callable[[str, Mapping[str, Any], str, Any], bool]
# The cells that a training or a drawing needs: shards, its text encoder, its text cache.
Preparation = Callable[[Definition, str, Mapping[str, Any]], list[Cell]]


@dataclass(frozen=True)
class Point:
    """Where a drawing stands in a figure: its arm, its training seed, its choices along the axes."""

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
    for choices in axis.product(definition.arms):
        for seed in definition.seeds:
            trained = [
                _training(definition, stage, choices, seed, differs, prepare)
                for stage in definition.stages
            ]
            for stage_cells in trained:
                cells |= {each.name: each for each in stage_cells}
            arm = {choice.axis: choice.label for choice in choices}
            last = [stage_cells[-1] for stage_cells in trained]
            for figure in definition.figures:
                for at, drawing in _drawings(definition, figure, choices, last, runs, differs):
                    before = prepare(definition, EVALUATE, drawing.settings)
                    drawing = replace(drawing, needs=(*drawing.needs, *(c.name for c in before)))
                    cells |= {each.name: each for each in [*before, drawing]}
                    labels = {choice.axis: choice.label for choice in at}
                    points[figure.name].append(Point(drawing.name, arm, seed, labels))
    return Plan(definition, cells, {name: tuple(each) for name, each in points.items()})


def _training(
    definition: Definition,
    stage: str,
    choices: tuple[Choice, ...],
    seed: int,
    differs: Differs,
    prepare: Preparation,
) -> list[Cell]:
    """What a stage of an arm needs, and last its training."""
    usual = {**definition.settings[stage], **definition.train}
    own = axis.settings(choices, stage) | {"seed": seed}
    different = {k: v for k, v in own.items() if k == "seed" or differs("train", usual, k, v)}
    name = f"ablation/{definition.scale}/{stage}/{cell.folder_name(different)}"
    settings = _ordered(usual | own) | {"name": name}
    before = prepare(definition, "train", settings)
    return [*before, Cell("train", settings, name, tuple(each.name for each in before))]


def _drawings(
    definition: Definition,
    figure: Figure,
    choices: tuple[Choice, ...],
    trained: list[Cell],
    runs: str,
    differs: Differs,
) -> Iterator[tuple[tuple[Choice, ...], Cell]]:
    """The drawings of one arm in a figure."""
    usual = {**definition.cascade, **definition.evaluate}
    places = {
        f"cascade.{stage}.run": f"{runs}/{each.name}"
        for stage, each in zip(definition.stages, trained, strict=True)
    }
    who = "/".join(each.name.rpartition("/")[2] for each in trained)
    trained_with = [each.settings.items() for each in trained]
    for at in axis.product(figure.points):
        own = axis.settings((*choices, *at), EVALUATE)
        drawn = {
            key: value
            for key, value in own.items()
            if key.partition(".")[0] not in MEASURES
            and not any((key, value) in each for each in trained_with)
        }
        different = {k: v for k, v in drawn.items() if differs(EVALUATE, usual, k, v)}
        folder = f"{definition.stages[-1]}_drawn/{who}/{cell.folder_name(different)}"
        name = f"ablation/{definition.scale}/{folder}"
        settings = _ordered(usual | own) | places | {"name": name}
        yield at, Cell(EVALUATE, settings, name, tuple(each.name for each in trained))


def _ordered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Groups before the values that override a part of them."""
    return dict(sorted(settings.items(), key=lambda item: "." in item[0].partition("@")[0]))
