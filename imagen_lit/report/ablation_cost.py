"""What an ablation has cost, and with what it was made: from the attempts that every training and
every evaluation appends to its folder. What no attempt measured is not known.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity
from imagen_lit.report.ablation_marks import DONE
from imagen_lit.report.document import Block, Fold, Table, Words
from imagen_lit.run import attempt_log
from imagen_lit.run.attempt_log import Attempt

RECORDED = ("train", "evaluate")
NOT_RECORDED = ("not recorded",) * 4
NO_GPU = ("cpu", "")


def blocks(plan: Plan, entries: Mapping[str, Any], runs: Path) -> Iterator[Block]:
    """Hours and attempts by kind of work; versions and code; every command; every failure."""
    recorded = [name for name, cell in plan.cells.items() if cell.command in RECORDED]
    attempts = {name: attempt_log.read(runs / name) for name in recorded}
    rows = []
    for command in dict.fromkeys(cell.command for cell in plan.cells.values()):
        cells = plan.of(command)
        own = [each for cell in cells for each in attempts.get(cell.name, ())]
        done = sum(state(entries, cell).startswith(DONE) for cell in cells)
        sums = _sums(own) if command in RECORDED else NOT_RECORDED
        rows.append((command, f"{done} of {len(cells)}", *sums))
    every = [each for own in attempts.values() for each in own]
    rows.append(("in all", "", *_sums(every)))
    heads = ("command", "done", "attempts", "hours", "GPU-hours", "kWh")
    yield Table(heads, rows, "cost")
    open_ends = sum(not each.end for each in every)
    words = (
        "Hours by the clock, GPU-hours of all devices together, and the energy of the machine that "
        "wrote them (of several nodes the first), by the attempts' own records."
    )
    if open_ends > 0:
        words += (
            f" {quantity(open_ends, 'attempt')} did not write an end (killed, or still at work): "
            "their time is not in it."
        )
    yield Words([words], "soft")
    yield from _made_with(every)
    if failures := list(_failures(plan, entries)):
        yield Table(("failed", "why"), failures, "failures")
    lines = [(cell.name, state(entries, cell), cell.line) for cell in plan.cells.values()]
    title = f"the exact commands of all {quantity(len(lines), 'cell')}"
    yield Fold(title, [Table(("cell", "state", "what to type"), lines, "commands")])


def state(entries: Mapping[str, Any], cell: Cell) -> str:
    """The state of a cell, in words."""
    entry = entries.get(cell.name)
    return "not in the ledger" if entry is None else str(entry.state)


def _sums(attempts: Sequence[Attempt]) -> tuple[str, str, str, str]:
    kwh = [each.kwh for each in attempts if each.kwh is not None]
    ends = sum(bool(each.end) for each in attempts)
    power = f"{sum(kwh):.3g}" if kwh else "not measured"
    if kwh and len(kwh) < ends:
        power += f" (of {len(kwh)} of {ends} attempts)"
    hours = sum(each.seconds for each in attempts) / 3600
    on_gpu = sum(each.seconds * _devices(each.end) for each in attempts if _is_gpu(each.end)) / 3600
    return f"{len(attempts):,}", f"{hours:.3g}", f"{on_gpu:.3g}", power


def _made_with(attempts: Sequence[Attempt]) -> Iterator[Block]:
    """Versions, commits, digests of the code, devices and hosts, each with its attempts."""
    starts = [each.start for each in attempts]
    ends = [each.end for each in attempts if each.end]
    counts: dict[str, Counter[str]] = {}
    for start in starts:
        commit = str(start.get("commit") or "not known")
        dirty = " (with changes)" if start.get("dirty") else ""
        counts.setdefault("commit", Counter())[commit[:12] + dirty] += 1
        counts.setdefault("code", Counter())[str(start.get("code", "not known"))] += 1
        versions = start.get("versions")
        for name, version in versions.items() if isinstance(versions, dict) else ():
            counts.setdefault(str(name), Counter())[str(version)] += 1
    for end in ends:
        counts.setdefault("device", Counter())[str(end.get("device") or "not known")] += 1
    if not counts:
        yield Words(["No attempt is recorded, so versions and commits are not known."], "soft")
        return
    rows = [
        (name, ", ".join(f"{printable(value)} ({count}×)" for value, count in own.most_common()))
        for name, own in counts.items()
    ]
    mixed = [name for name, own in counts.items() if name == "code" and len(own) > 1]
    yield Table(("made with", "in how many attempts"), rows, "versions")
    if mixed:
        yield Words(["The cells were not all made with the same code."], "wrong")


def _failures(plan: Plan, entries: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for cell in plan.cells.values():
        entry = entries.get(cell.name)
        if entry is not None and str(entry.state).startswith("failed"):
            yield cell.name, printable(str(entry.why or entry.state))


def _devices(end: Mapping[str, Any]) -> int:
    """Earlier versions did not write how many; then it counts as one."""
    count = end.get("devices")
    return count if type(count) is int else 1


def _is_gpu(end: Mapping[str, Any]) -> bool:
    device = str(end.get("device") or "").lower()
    return not any(device == each or device.startswith("cpu") for each in NO_GPU)
