"""The ledger as lines of text, for a terminal: an arm in each row, at most 100 characters wide."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from imagen_lit.ablation import ledger
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity

WIDTH, GAP = 100, "  "
OPEN = (ledger.RUNNING, ledger.QUEUED, ledger.FAILED, ledger.MISSING)


def lines(plan: Plan, entries: Mapping[str, Entry], shown: int = 20) -> list[str]:
    """A heading, what is prepared, a row for each arm, and what failed; of each kind of problem, at
    most so many are shown."""
    every = list(entries.values())
    definition = plan.definition
    text = [f"{definition.name} at scale={definition.scale}: {counts(every)}"]
    prepared = [each for each in every if each.cell.command not in ("train", EVALUATE)]
    if prepared:
        text.append(f"prepared: {counts(prepared)}")
    text += _table(_rows(plan, entries))
    failed = [each for each in every if each.state == ledger.FAILED]
    text += _problems("failed", failed, shown)
    text += _problems("running", [each for each in every if each.state == ledger.RUNNING], shown)
    is_begun = [e for e in every if e.state == ledger.MISSING and e.why and "waits" not in e.why]
    text += _problems("begun", is_begun, shown)
    if any(each.state == ledger.OTHER_CODE for each in every):
        text += textwrap.wrap(
            f"* {ledger.OTHER_CODE}: made before this package's files, or conf/, were last changed",
            WIDTH,
        )
    return [printable(line) for line in text]


def counts(entries: Iterable[Entry]) -> str:
    """12 cells: 10 done, 2 missing."""
    states = [each.state for each in entries]
    words = ", ".join(f"{states.count(s)} {s}" for s in reversed(ledger.STATES) if s in states)
    return f"{quantity(len(states), 'cell')}: {words}"


def _rows(plan: Plan, entries: Mapping[str, Entry]) -> dict[str, dict[str, str]]:
    """Columns by arm."""
    arms: dict[str, dict[str, None]] = {}
    for points in plan.points.values():
        for point in points:
            label = ", ".join(point.arm.values()) or "all"
            own = arms.setdefault(label, {})
            own |= dict.fromkeys([*plan.cells[point.cell].needs, point.cell])
    return {label: _row([entries[name] for name in names]) for label, names in arms.items()}


def _row(entries: Sequence[Entry]) -> dict[str, str]:
    row = {}
    for column, command in (("trained", "train"), ("drawn", EVALUATE)):
        own = [each for each in entries if each.cell.command == command]
        star = "*" if any(each.state == ledger.OTHER_CODE for each in own) else ""
        row[column] = f"{sum(each.is_done for each in own)}/{len(own)}{star}"
    states = [e.state for e in entries if e.cell.command in ("train", EVALUATE)]
    row |= {state: str(states.count(state) or "") for state in OPEN}
    attempts = sum(len(each.attempts) for each in entries)
    seconds = sum(each.cost.seconds for each in entries)
    energies = [each.cost.kwh for each in entries if each.cost.kwh is not None]
    row["attempts"] = str(attempts or "")
    row["hours"] = f"{seconds / 3600:.2f}" if seconds else ""
    row["kWh"] = f"{sum(energies):.3g}" if energies else ""
    return row


def _table(rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    used = [c for c in next(iter(rows.values()), {}) if any(row[c] for row in rows.values())]
    sizes = {c: max(len(c), *(len(row[c]) for row in rows.values())) for c in used}
    room = WIDTH - sum(len(GAP) + size for size in sizes.values())
    first = min(room, max(map(len, ["arm", *rows])))
    text = [GAP.join([f"{'arm':{first}}", *(f"{c:>{size}}" for c, size in sizes.items())])]
    for label, row in rows.items():
        if len(label) > first:  # an arm has to be typed, so its name is whole
            text.append(label)
            label = ""
        text.append(GAP.join([f"{label:{first}}", *(f"{row[c]:>{sizes[c]}}" for c in used)]))
    return [line.rstrip() for line in text]


def _problems(word: str, entries: Sequence[Entry], shown: int) -> list[str]:
    text = []
    for entry in entries[:shown]:
        text.append(f"{word}: {entry.cell.name}")
        text += textwrap.wrap(entry.why, WIDTH, initial_indent="    ", subsequent_indent="    ")
    if len(entries) > shown:
        text.append(f"and {len(entries) - shown} more {word}")
    return text
