"""How a run differs from the paper: a fold-out for the page of runs, and Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity
from imagen_lit.paper import deviation
from imagen_lit.paper.deviation import Deviation

HEADS = ("setting", "the paper", "this run", "whose choice")


def html(settings: Mapping[str, Any]) -> str:
    """Folded; empty for a run that corresponds to no stage of the paper."""
    stage, rows = deviation.stage_words(settings), deviation.deviations(settings)
    if stage is None:
        return ""
    tables = "".join(
        f"<h4>{escape(kind)}</h4>{_table(some)}" for kind, some in by_kind(rows).items()
    )
    return (
        f"<details><summary>differs from the paper’s {escape(stage)} in "
        f"{quantity(len(rows), 'choice')}</summary>{tables}</details>"
    )


def markdown(name: str, settings: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the same, for a report."""
    stage, rows = deviation.stage_words(settings), deviation.deviations(settings)
    if stage is None:
        yield f"{printable(name)} corresponds to no stage of the paper."
        return
    yield f"# {printable(name)} against the paper’s {stage}"
    for kind, some in by_kind(rows).items():
        yield from ("", f"## {kind[0].upper()}{kind[1:]}", "", _line(HEADS), _line(["---"] * 4))
        yield from (_line(cells(row)) for row in some)


def _table(rows: Sequence[Deviation]) -> str:
    """Each cell carries its heading: a phone has no room for four columns."""
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    lines = []
    for row in rows:
        first, *others = map(escape, cells(row))
        pairs = zip(HEADS[1:], others, strict=True)
        lines.append(
            f"<tr><td>{first}</td>"
            + "".join(f'<td data-label="{head}">{cell}</td>' for head, cell in pairs)
            + "</tr>"
        )
    return f'<table class="choices"><tr class="head">{heads}</tr>{"".join(lines)}</table>'


def by_kind(rows: Sequence[Deviation]) -> dict[str, list[Deviation]]:
    """The rows of each kind, in their order."""
    return {kind: list(some) for kind, some in groupby(rows, lambda row: row.kind)}


def cells(row: Deviation) -> tuple[str, str, str, str]:
    """What stands below each head."""
    return row.setting, row.paper, row.here, row.choice


def _line(cells: Sequence[str]) -> str:
    shown = [printable(cell).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(shown)} |"
