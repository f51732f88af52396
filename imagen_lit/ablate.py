"""Repeat an ablation: plan its cells, say what has become of each, and do what is missing.

A cell is one command of this package with its settings, and its folder says whether it is done. So
the same line goes on after any end, and another ablation uses the same cells. The commands are
imported where they are needed: a status takes a second.
"""

import functools
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import (
    changes,
    definition,
    disk_space,
    ledger,
    measurability,
    preparation,
    status_table,
    submitted_jobs,
)
from imagen_lit.ablation.cell import BY_HAND, Cell
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.ablation.disk_space import DiskSpace
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.measurability import Doubt
from imagen_lit.ablation.plan import Plan
from imagen_lit.ablation.plan import plan as make_plan
from imagen_lit.basics import chosen_folder, file_lock
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.basics.short_form import quantity
from imagen_lit.cli import command, config, console
from imagen_lit.launcher.launcher import Launcher, Queue

LOCK = "ablation/driver.lock"


def planned(cfg: DictConfig) -> Plan:
    """The plan that the settings of this command ask for."""
    if cfg.ablation is None:
        raise InputError(
            f"no ablation is named. Type python -m imagen_lit.ablate <name>, with one of "
            f"{', '.join(definition.names())}."
        )
    typed: Any = OmegaConf.to_container(cfg)
    changed = changes.read(typed["changes"], typed["seeds"])
    chosen = definition.read(str(cfg.ablation), str(cfg.at_scale), changed.definition, changed.only)
    of_commands = preparation.differs, preparation.prepare, preparation.setting
    return make_plan(chosen, str(cfg.runs), *of_commands, definition.at_scale(chosen.scale))


def to_do(entries: Mapping[str, Entry], state: str, queued: Container[str] = ()) -> list[Cell]:
    """The cells in this state, those `queued` for which the launcher waits, and those missing that
    wait for nothing but them; each after those that it needs."""
    chosen: dict[str, Cell] = {}
    for name, entry in entries.items():
        waits = [need for need in entry.cell.needs if not entries[need].is_done]
        is_free = all(need in chosen for need in waits)
        is_queued = entry.state in (ledger.QUEUED, ledger.RUNNING) and name in queued
        is_asked = entry.state == state or (
            entry.state == ledger.MISSING and any(need in chosen for need in waits)
        )
        if is_queued or (is_asked and is_free):
            chosen[name] = entry.cell
    return list(chosen.values())


def _without_lost(
    cells: Sequence[Cell], first: Sequence[Cell], entries: Mapping[str, Entry]
) -> list[Cell]:
    """The cells after the first ones, but for those that need one of these that is not done."""
    lost = {cell.name for cell in first if not entries[cell.name].is_done}
    rest = []
    for cell in cells:
        if lost & {*cell.needs}:
            lost.add(cell.name)
        elif cell not in first:
            rest.append(cell)
    return rest


def run(cfg: DictConfig, plan: Plan, state: str) -> None:
    """Do the cells in this state."""
    runs = Path(str(cfg.runs))
    with file_lock.exclusive(
        runs / LOCK,
        f"doing an ablation in {runs}",
        "Let it finish, or end it first; or set runs=... to another folder.",
    ):
        launcher = config.build(cfg.launcher)
        queued: Container[str] = ()
        if isinstance(launcher, Queue):
            if not any(str(word).startswith("only.") for word in cfg.changes):
                launcher.cancel_left(runs, plan.definition.name, plan.cells)
            queued = launcher.taken_up(runs)
        entries = ledger.read(plan, runs)
        cells = to_do(entries, state, queued)
        print("\n".join(status_table.lines(plan, entries)))
        if not cells:
            print(_nothing_to_do(entries, state))
            report(plan, runs)
            return
        _refuse_by_hand(cells)
        _refuse_wrong(cells)
        doubts = measurability.doubts(plan, cells, _missing_for_metrics)
        _refuse_incomplete(doubts)
        space = disk_space.of(cells, runs)
        space.require()
        text = [*_announced(plan, entries, cells, space), *map(str, doubts)]
        text += launcher.outlook(cells) if isinstance(launcher, Queue) else []
        print("\n".join(text), flush=True)
        ours = import_module("imagen_lit.ablate")  # by this name, a worker finds it too
        work = ours.do_cell
        if isinstance(launcher, Queue):
            launcher.then(functools.partial(ours.report_of, cfg))
        rest = cells
        if doubts and not isinstance(launcher, Queue):  # nothing is trained before they are solved
            first = [cell for cell in cells if cell.command not in ("train", EVALUATE)]
            launcher.launch(first, work, str(cfg.runs), plan.definition.name)
            rest = _without_lost(cells, first, ledger.read(plan, runs))
            _refuse_incomplete(measurability.doubts(plan, rest, _missing_for_metrics))
        launcher.launch(rest, work, str(cfg.runs), plan.definition.name)
        after = ledger.read(plan, runs)
        print("\n".join(status_table.lines(plan, after)))
        report(plan, runs)
        if failed := sum(after[cell.name].state == ledger.FAILED for cell in cells):
            raise RunError(
                f"{quantity(failed, 'cell')} failed. Look at what is named above, and type the "
                "same with retry."
            )


def report_of(cfg: DictConfig) -> None:
    """Write the report that the settings of this command ask for."""
    report(planned(cfg), Path(str(cfg.runs)))


def report(plan: Plan, runs: Path) -> None:
    """Write the report, of what is there, and say where it is."""
    from imagen_lit.report import ablation_report, deviation_fold  # matplotlib takes a second

    entries = ledger.read(plan, runs)
    page = ablation_report.write(plan, entries, runs, deviations=deviation_fold.fold)
    print(f"the report: {page}")


def do_cell(cell: Cell) -> None:
    """Do a cell in this process, as if its line had been typed."""
    sys.argv = [f"imagen_lit.{cell.command}", *cell.words]
    _function(cell.command)(config.compose(cell.command, cell.words))


def _function(name: str) -> Callable[[DictConfig], Any]:
    """The command of this name, imported now."""
    if name not in console.commands():
        raise InputError(f"{name} is no command that an ablation does. Type it by hand.")
    function: Callable[[DictConfig], Any] = import_module(f"imagen_lit.{name}").main
    return function


def _nothing_to_do(entries: Mapping[str, Entry], state: str) -> str:
    states = [each.state for each in entries.values()]
    if state == ledger.FAILED:
        return "nothing has failed"
    if failed := states.count(ledger.FAILED):
        return (
            f"{quantity(failed, 'cell')} failed: type the same with retry, once the reason is gone"
        )
    return "nothing to do"


def _refuse_by_hand(cells: Sequence[Cell]) -> None:
    lines = [cell.line for cell in cells if cell.command == BY_HAND]
    if lines:
        raise InputError(
            f"the ablation needs files from elsewhere. Type first: {'; '.join(lines)}."
        )


def _refuse_wrong(cells: Sequence[Cell]) -> None:
    """Compose what is to do, until every setting has been seen once."""
    seen: set[tuple[str, str, str]] = set()
    for cell in cells:
        words = {(cell.command, key, str(value)) for key, value in cell.settings.items()}
        own = {each for each in words if each[1] not in ("name", "seed")}
        own = {each for each in own if not each[1].endswith(".run")}
        if own - seen:
            preparation.compose(cell.command, cell.settings)
            seen |= own


def _missing_for_metrics(
    cfg: DictConfig, data: DictConfig, sizes: Mapping[str, int], wanted: Sequence[str]
) -> str:
    """See `measurability.Ask`."""
    from imagen_lit.cascade import prospect  # torch takes seconds
    from imagen_lit.evaluate import build_ruler

    return prospect.missing(cfg, data, sizes, wanted, lambda: build_ruler(cfg))


def _refuse_incomplete(doubts: Sequence[Doubt]) -> None:
    """Refuse what lacks a file that no cell makes."""
    if lacks := [doubt.why for doubt in doubts if not doubt.is_ours]:
        raise InputError(
            f"the drawings could not be measured yet: {' '.join(lacks)} Add what is missing, and "
            "type the same again."
        )


def _announced(
    plan: Plan, entries: Mapping[str, Entry], cells: Sequence[Cell], space: DiskSpace
) -> list[str]:
    from imagen_lit.ablation import announcement  # scipy's distributions take half a second

    return announcement.lines(cells, entries, len(plan.definition.seeds), space)


def show_plan(plan: Plan, runs: Path, launcher: Launcher) -> None:
    """Print what is to do, and the lines that a person may type for it."""
    entries = ledger.read(plan, runs)
    cells = [each.cell for each in entries.values() if not each.is_done]
    doubts = measurability.doubts(plan, cells, _missing_for_metrics)
    space = disk_space.of(cells, runs)
    text = [*_announced(plan, entries, cells, space), *map(str, doubts)]
    text += launcher.outlook(cells) if isinstance(launcher, Queue) else []
    print("\n".join(f"# {line}" for line in text))
    print("\n".join(cell.line for cell in cells))


VERBS = ("run", "retry", "plan", "status", "report")


@command.main("ablate")
def main(cfg: DictConfig) -> None:
    """Do what the second word says."""
    verb = str(cfg.do)
    if verb not in VERBS:
        raise InputError(
            f"do={verb} is nothing that ablate does{did_you_mean(verb, VERBS)}. "
            f"Choose from {', '.join(VERBS)}."
        )
    runs = chosen_folder.of("runs", cfg.runs)
    plan = planned(cfg)
    if verb == "plan":
        show_plan(plan, runs, config.build(cfg.launcher))
    elif verb == "status":
        print("\n".join(status_table.lines(plan, ledger.read(plan, runs))))
        if submitted_jobs.is_silent(runs):
            print("SLURM does not answer here, so what waits in its queue is not in this table")
    elif verb == "report":
        report(plan, runs)
    else:
        run(cfg, plan, ledger.FAILED if verb == "retry" else ledger.MISSING)


if __name__ == "__main__":
    main()
