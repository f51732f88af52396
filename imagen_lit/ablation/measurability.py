"""Whether the metrics could give each drawing its scores, asked before anything is trained: once
for all drawings that differ in nothing that a metric would see.
"""

import json
import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import figure_scores, preparation
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config, user_error

# A config of `evaluate`, the data of its first stage, the edge of each stage's images, the scores
# that figures show of it -> the file that an answer needs and that is not there, in words; raises
# where a metric could give no score, or none gives one that is shown.
Ask = Callable[[DictConfig, DictConfig, Mapping[str, int], Sequence[str]], str]
# Of a drawing and of a training: no metric sees a difference in them.
UNSEEN = ("name", "runs", "seed", "text", "start_from")


class Doubt(NamedTuple):
    """Of so many drawings nobody can tell yet, and why; `is_ours`: whether a cell that is still to
    be done may change that."""

    drawings: int
    why: str
    is_ours: bool

    def __str__(self) -> str:
        which = "the drawing" if self.drawings == 1 else f"the {self.drawings:,} drawings"
        return f"whether metrics can measure {which} is not known yet: {self.why}"


def doubts(plan: Plan, to_do: Sequence[Cell], ask: Ask) -> list[Doubt]:
    """Of the drawings among the cells that are to be done. Raises InputError if one of them could
    get no score."""
    cells, shown = plan.cells, _shown(plan)
    alike: dict[str, list[Cell]] = {}
    for cell in to_do:
        if cell.command == EVALUATE:
            alike.setdefault(_seen(cells, cell, shown.get(cell.name, ())), []).append(cell)
    counts: dict[tuple[str, bool], int] = {}
    for drawing, *others in alike.values():
        if why := _answer(cells, drawing, shown.get(drawing.name, ()), ask):
            kind = why, _is_prepared_for(cells, drawing, {cell.name for cell in to_do})
            counts[kind] = counts.get(kind, 0) + 1 + len(others)
    return [Doubt(count, *kind) for kind, count in counts.items()]


def _shown(plan: Plan) -> dict[str, Sequence[str]]:
    """The scores of each drawing that figures show."""
    shown: dict[str, Sequence[str]] = {}
    for figure in plan.definition.figures:
        for point in plan.points[figure.name]:
            own = figure_scores.of(plan.definition, figure)
            shown[point.cell] = [*dict.fromkeys([*shown.get(point.cell, ()), *own])]
    return shown


def _answer(cells: Mapping[str, Cell], drawing: Cell, wanted: Sequence[str], ask: Ask) -> str:
    trainings = _trainings(cells, drawing)
    sizes = {stage: int(_data(training)["size"]) for stage, training in trainings.items()}
    first = next(iter(trainings.values()))
    data = preparation.compose("train", _visible(first)).data
    cfg = preparation.compose(EVALUATE, drawing.settings)
    known = [*config.keys(OmegaConf.to_container(cfg, resolve=False))]
    try:
        return _as_typed(ask(cfg, data, sizes, wanted), known)
    except Exception as error:
        if (words := user_error.sentence(error, lambda: known)) is None:
            raise
        reason = _as_typed(words, known).removesuffix(".")
        raise InputError(
            f"{drawing.name} could not be measured: {reason}. Correct that before anything is "
            "trained."
        ) from error


def _as_typed(words: str, known: Sequence[str]) -> str:
    """With each setting of `evaluate` as `ablate` reads it."""

    def typed(key: re.Match[str]) -> str:
        return f"{EVALUATE}.{key[0]}" if key[0] in known else key[0]

    return re.sub(user_error.KEY, typed, words)


def _trainings(cells: Mapping[str, Cell], drawing: Cell) -> dict[str, Cell]:
    """By stage, from the smallest to the largest."""
    trained = [cells[name] for name in drawing.needs if cells[name].command == "train"]
    keys = [key.split(".") for key in drawing.settings if key.startswith("cascade.")]
    stages = [key[1] for key in keys if key[2:] == ["run"]]
    return dict(zip(stages, trained, strict=True))


def _seen(cells: Mapping[str, Cell], drawing: Cell, wanted: Sequence[str]) -> str:
    """All of a drawing and its trainings that a metric would see before it is drawn, and what is
    wanted of it."""
    own = {k: v for k, v in _visible(drawing).items() if not k.startswith("cascade.")}
    trained = {stage: _data(each) for stage, each in _trainings(cells, drawing).items()}
    return json.dumps([[*wanted], own, "start_from" in drawing.settings, trained])


def _data(training: Cell) -> Mapping[str, Any]:
    found: Mapping[str, Any] = preparation.setting("train", _visible(training), "data")
    return found


def _visible(cell: Cell) -> dict[str, Any]:
    """Its settings without those that change nothing of what a metric sees."""
    return {k: v for k, v in cell.settings.items() if k.partition(".")[0] not in UNSEEN}


def _is_prepared_for(cells: Mapping[str, Cell], drawing: Cell, to_do: Container[str]) -> bool:
    """Whether shards, weights or the like are still to be made for it."""
    needs = [name for name in drawing.needs if name in cells]
    return any(
        (name in to_do and cells[name].command not in ("train", EVALUATE))
        or _is_prepared_for(cells, cells[name], to_do)
        for name in needs
    )
