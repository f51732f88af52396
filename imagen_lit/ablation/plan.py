"""The plan of an ablation: which cells it consists of, what each needs, and where each stands in
which figure. Read from the definition alone; nothing is looked up in runs/.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagen_lit.ablation import axis, cell, kept_checkpoints, setting_order
from imagen_lit.ablation.axis import Choice
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition, Figure
from imagen_lit.ablation.kept_checkpoints import Setting

# Whether a setting changes anything beside the usual ones; else it is left out of names.
Differs = Callable[[str, Mapping[str, Any], str, Any], bool]
# The cells that a training or a drawing needs: shards, its text encoder, its text cache.
Preparation = Callable[[Definition, str, Mapping[str, Any]], list[Cell]]

# Of train and evaluate: no image depends on them, and a run is refused if other files take their
# places; so cells are not named by them.
NAMELESS: tuple[str, ...] = ("trainer", "callbacks", "logger", "device", "tf32", "compile")
NAMELESS += ("batch", "notice")
NAMELESS += ("feature_folder", "text.device", "data.shards", "data.text", "text.path")
NAMELESS += ("data.workers", "data.micro_batch_size", "data.decoded_cache_mib")


@dataclass(frozen=True)
class Point:
    """Where a drawing stands in a figure: arm, training seed, and choices along the axes."""

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


def plan(
    definition: Definition,
    runs: str,
    differs: Differs,
    prepare: Preparation,
    setting: Setting,
) -> Plan:
    """All cells, and the points of all figures."""
    cells: dict[str, Cell] = {}
    points: dict[str, list[Point]] = {figure.name: [] for figure in definition.figures}
    for choices in axis.product(definition.arms):
        for seed in definition.seeds:
            trained = [
                _training(definition, stage, choices, seed, runs, differs, prepare, setting)
                for stage in definition.stages
            ]
            for stage_cells in trained:
                cells |= {each.name: each for each in stage_cells}
            arm = {choice.axis: choice.label for choice in choices}
            last = [stage_cells[-1] for stage_cells in trained]
            for figure in definition.figures:
                for at, drawing in _drawings(
                    definition, figure, choices, last, runs, differs, setting
                ):
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
    runs: str,
    differs: Differs,
    prepare: Preparation,
    setting: Setting,
) -> list[Cell]:
    """What a stage of an arm needs, and last its training."""
    own = axis.settings(choices, stage)
    settings = setting_order.ordered(
        {**definition.settings[stage], **definition.train, **own, "seed": seed}
    )
    different = _different("train", definition.usual[stage], settings, own, differs)
    name = f"ablation/{definition.scale}/{stage}/{cell.folder_name(different | {'seed': seed})}"
    settings |= kept_checkpoints.settings(definition, stage, settings, setting)
    settings |= _place(runs) | {"name": name}
    before = prepare(definition, "train", settings)
    return [*before, Cell("train", settings, name, tuple(each.name for each in before))]


def _drawings(
    definition: Definition,
    figure: Figure,
    choices: tuple[Choice, ...],
    trained: list[Cell],
    runs: str,
    differs: Differs,
    setting: Setting,
) -> Iterator[tuple[tuple[Choice, ...], Cell]]:
    """The drawings of one arm in a figure."""
    by_stage = dict(zip(definition.stages, trained, strict=True))
    places = {f"cascade.{stage}.run": f"{runs}/{each.name}" for stage, each in by_stage.items()}
    who = "/".join(each.name.rpartition("/")[2] for each in trained)
    for at in axis.product(figure.points):
        own = axis.settings((*choices, *at), EVALUATE)
        own = kept_checkpoints.of_drawing(own, by_stage, setting)
        settings = setting_order.ordered({**definition.cascade, **definition.evaluate, **own})
        shared = {
            key: value
            for key, value in settings.items()
            if key.partition(".")[0] not in MEASURES
            and not any((key, value) in each.settings.items() for each in trained)
        }
        different = _different(EVALUATE, definition.usual[EVALUATE], shared, own, differs)
        folder = f"{definition.stages[-1]}_drawn/{who}/{cell.folder_name(different)}"
        name = f"ablation/{definition.scale}/{folder}"
        settings |= places | _place(runs) | {"name": name}
        yield at, Cell(EVALUATE, settings, name, tuple(each.name for each in trained))


def _different(
    command: str,
    usual: Mapping[str, Any],
    settings: Mapping[str, Any],
    of_arm: Mapping[str, Any],
    differs: Differs,
) -> dict[str, Any]:
    """Which settings name a cell: those that are not the scale's usual ones."""
    return {
        key: value
        for key, value in settings.items()
        if key != "seed"
        and (key in of_arm or not _is_nameless(key))
        and (key not in usual or usual[key] != value)
        and differs(command, usual, key, value)
    }


def _is_nameless(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in NAMELESS)


def _place(runs: str) -> dict[str, str]:
    return {} if runs == "runs" else {"runs": runs}
