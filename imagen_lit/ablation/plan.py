"""The plan of an ablation: which cells it consists of, what each needs, and where each stands in
which figure. Read from the definition alone; nothing is looked up in runs/.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagen_lit.ablation import axis, cell, kept_checkpoints, setting_order
from imagen_lit.ablation.axis import Choice
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE, MEASURES, Definition
from imagen_lit.ablation.kept_checkpoints import Setting

Choices = tuple[Choice, ...]
# Whether a setting changes anything beside the usual ones of a command; else no name tells it.
Differs = Callable[[str, Mapping[str, Any], str, Any], bool]
# The cells that a training or a drawing needs: shards, its text encoder, its text cache.
Preparation = Callable[[Definition, str, Mapping[str, Any]], list[Cell]]

# Of train and evaluate: no image depends on them, and a run is refused if other files take their
# places; so cells are not named by them.
NAMELESS: tuple[str, ...] = ("trainer", "callbacks", "logger", "device", "tf32", "compile")
NAMELESS += ("batch", "notice", "feature_folder", "text.device", "data.shards", "data.text")
NAMELESS += ("text.path", "data.workers", "data.micro_batch_size", "data.decoded_cache_mib")


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


def plan(
    definition: Definition,
    runs: str,
    differs: Differs,
    prepare: Preparation,
    setting: Setting,
    others: Sequence[Definition] = (),
) -> Plan:
    """All cells, and the points of all figures. `others`: ablations that may share trainings."""
    cells: dict[str, Cell] = {}
    points: dict[str, list[Point]] = {figure.name: [] for figure in definition.figures}

    def add(cell: Cell, before: list[Cell]) -> Cell:
        needs = (*(each.name for each in before), *cell.needs)
        cells.update({each.name: each for each in before})
        return cells.setdefault(cell.name, replace(cell, needs=tuple(dict.fromkeys(needs))))

    def train(stage: str, choices: Choices, seed: int) -> Cell:
        cell = _training(definition, stage, choices, seed, runs, differs, setting, others)
        return add(cell, prepare(definition, "train", cell.settings))

    def draw(trained: Mapping[str, Cell], choices: Choices) -> Cell:
        cell = _drawing(definition, trained, choices, runs, differs, setting)
        before = prepare(definition, EVALUATE, cell.settings)
        if len(trained) > 1:  # the smaller images are drawn once for all that enlarge them
            smaller = draw(dict(list(trained.items())[:-1]), choices)
            start = f"{runs}/{smaller.name}"
            cell = replace(cell, settings={**cell.settings, "start_from": start})
            before = [*before, smaller]
        return add(cell, before)

    for choices in axis.product(definition.arms):
        for seed in definition.seeds:
            trained = {stage: train(stage, choices, seed) for stage in definition.stages}
            arm = {choice.axis: choice.label for choice in choices}
            for figure in definition.figures:
                for at in axis.product(figure.points):
                    cell = draw(trained, (*choices, *at))
                    labels = {choice.axis: choice.label for choice in at}
                    points[figure.name].append(Point(cell.name, arm, seed, labels))
    return Plan(definition, cells, {name: tuple(each) for name, each in points.items()})


def _training(
    definition: Definition,
    stage: str,
    choices: Choices,
    seed: int,
    runs: str,
    differs: Differs,
    setting: Setting,
    others: Sequence[Definition],
) -> Cell:
    """The training of a stage with these choices and this seed."""
    own = axis.settings(choices, stage)
    settings = setting_order.ordered(
        {**definition.settings[stage], **definition.train, **own, "seed": seed}
    )
    different = _different("train", definition.usual[stage], settings, own, differs)
    name = f"ablation/{definition.scale}/{stage}/{cell.folder_name(different | {'seed': seed})}"
    settings |= kept_checkpoints.settings(definition, stage, settings, setting, others)
    return Cell("train", settings | _place(runs) | {"name": name}, name)


def _drawing(
    definition: Definition,
    trained: Mapping[str, Cell],
    choices: Choices,
    runs: str,
    differs: Differs,
    setting: Setting,
) -> Cell:
    """A drawing by these trained stages. What concerns later ones alone is left out."""
    last, later = list(trained)[-1], definition.stages[len(trained) :]
    usual = {**definition.cascades[last], **definition.usual[EVALUATE]}
    own = kept_checkpoints.of_drawing(axis.settings(choices, EVALUATE), trained, setting)
    settings = {
        key: value
        for key, value in {**definition.cascades[last], **definition.evaluate, **own}.items()
        if not any(_is_of(stage, key) for stage in later)
    }
    drawn = {
        key: value
        for key, value in settings.items()
        if key.partition(".")[0] not in MEASURES
        and (
            key == "precision"
            or not any((key, value) in each.settings.items() for each in trained.values())
        )
    }
    different = _different(EVALUATE, usual, drawn, own, differs)
    who = "/".join(each.name.rpartition("/")[2] for each in trained.values())
    name = f"ablation/{definition.scale}/{last}_drawn/{who}/{cell.folder_name(different)}"
    places = {f"cascade.{stage}.run": f"{runs}/{each.name}" for stage, each in trained.items()}
    settings = setting_order.ordered(settings) | places | _place(runs) | {"name": name}
    return Cell(EVALUATE, settings, name, tuple(each.name for each in trained.values()))


def _is_of(stage: str, key: str) -> bool:
    """Whether a setting of `evaluate` concerns this stage of the cascade."""
    return f"cascade.{stage}." in f"{key.rpartition('@')[2]}."


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
        and (key in of_arm or not _is_nameless(command, key))
        and (key not in usual or usual[key] != value)
        and differs(command, usual, key, value)
    }


def _is_nameless(command: str, key: str) -> bool:
    """Of a training its precision too, as all of its trainer; an image depends on a drawing's."""
    return (command == "train" and key == "precision") or any(
        key == name or key.startswith(f"{name}.") for name in NAMELESS
    )


def _place(runs: str) -> dict[str, str]:
    return {} if runs == "runs" else {"runs": runs}
