"""What an ablation has cost, and with what it was made: from the attempts that every training and
every evaluation appends to its folder. What no attempt measured is not known.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity
from imagen_lit.report.ablation_marks import DONE
from imagen_lit.report.document import Block, Fold, Table, Words

FILE = "attempts.jsonl"
RECORDED = ("train", "evaluate")
NO_GPU = ("cpu", "")


@dataclass(frozen=True)
class Cost:
    """Of one cell: its starts, the ends that are known, and what those measured."""

    starts: Sequence[Mapping[str, Any]]
    ends: Sequence[Mapping[str, Any]]

    @property
    def seconds(self) -> float:
        """Of all attempts that ended in an orderly way."""
        return sum(_number(end.get("seconds")) for end in self.ends)

    @property
    def gpu_seconds(self) -> float:
        """Of those on a GPU."""
        return sum(_number(end.get("seconds")) for end in self.ends if _is_gpu(end))

    @property
    def kwh(self) -> list[float]:
        """Of the attempts that measured it."""
        return [_number(end["kwh"]) for end in self.ends if type(end.get("kwh")) in (int, float)]


def read(folder: Path) -> Cost:
    """The attempts of a folder; a line that was cut short is left out."""
    starts, ends = [], []
    try:
        lines = (folder / FILE).read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and row.get("event") == "start":
            starts.append(row)
        elif isinstance(row, dict) and row.get("event") == "end":
            ends.append(row)
    return Cost(starts, ends)


def blocks(plan: Plan, entries: Mapping[str, Any], runs: Path) -> Iterator[Block]:
    """Hours and attempts by kind of work; versions and code; every command; every failure."""
    costs = {
        name: read(runs / name) for name, cell in plan.cells.items() if cell.command in RECORDED
    }
    rows = []
    for command in dict.fromkeys(cell.command for cell in plan.cells.values()):
        cells = plan.of(command)
        own = [costs[cell.name] for cell in cells if cell.name in costs]
        done = sum(state(entries, cell).startswith(DONE) for cell in cells)
        rows.append((command, f"{done} of {len(cells)}", *_sums(own)))
    rows.append(("in all", "", *_sums(list(costs.values()))))
    heads = ("command", "done", "attempts", "hours", "GPU-hours", "kWh")
    yield Table(heads, rows, "cost")
    open_ends = sum(len(cost.starts) - len(cost.ends) for cost in costs.values())
    words = "Hours of one process each, by the attempts' own records."
    if open_ends > 0:
        words += (
            f" {quantity(open_ends, 'attempt')} did not write an end (killed, or still at work): "
            "their time is not in it."
        )
    yield Words([words], "soft")
    yield from _made_with(list(costs.values()))
    if failures := list(_failures(plan, entries)):
        yield Table(("failed", "why"), failures, "failures")
    lines = [(cell.name, state(entries, cell), cell.line) for cell in plan.cells.values()]
    title = f"the exact commands of all {quantity(len(lines), 'cell')}"
    yield Fold(title, [Table(("cell", "state", "what to type"), lines, "commands")])


def state(entries: Mapping[str, Any], cell: Cell) -> str:
    """The state of a cell, in words."""
    entry = entries.get(cell.name)
    return "not in the ledger" if entry is None else str(entry.state)


def _sums(costs: Sequence[Cost]) -> tuple[str, str, str, str]:
    if not costs:
        return "not recorded", "not recorded", "not recorded", "not recorded"
    attempts = sum(len(cost.starts) for cost in costs)
    kwh = [each for cost in costs for each in cost.kwh]
    ends = sum(len(cost.ends) for cost in costs)
    power = f"{sum(kwh):.3g}" if kwh else "not measured"
    if kwh and len(kwh) < ends:
        power += f" (of {len(kwh)} of {ends} attempts)"
    hours = sum(cost.seconds for cost in costs) / 3600
    on_gpu = sum(cost.gpu_seconds for cost in costs) / 3600
    return f"{attempts:,}", f"{hours:.3g}", f"{on_gpu:.3g}", power


def _made_with(costs: Sequence[Cost]) -> Iterator[Block]:
    """Versions, commits, digests of the code, devices and hosts, each with its attempts."""
    starts = [start for cost in costs for start in cost.starts]
    ends = [end for cost in costs for end in cost.ends]
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


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e12 else 0.0


def _is_gpu(end: Mapping[str, Any]) -> bool:
    device = str(end.get("device") or "").lower()
    return not any(device == each or device.startswith("cpu") for each in NO_GPU)
