"""Scores as a grid: a row for each system or category, a column for each metric with the hash of
its protocol; two protocols never share a column. As Markdown, CSV and LaTeX.
"""

import csv
import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.basics import rounding
from imagen_lit.basics.errors import InputError
from imagen_lit.report import comparable_rows
from imagen_lit.report.comparable_rows import Protocols, Row, Rows

MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#])")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # behind the end of a row, "[" and "*" would be options
    "*": "{*}",
} | {each: f"\\{each}" for each in "&%$#_{}"}


@dataclass(frozen=True)
class ScoreGrid:
    """`cells[row][column]` is a score's row, or None where there is none."""

    labels: Sequence[str]
    metrics: Sequence[tuple[str, str]]  # metric, hash of its protocol
    names: Sequence[tuple[str, ...]]  # the labels of each row
    cells: Sequence[Sequence[Row | None]]

    @property
    def caption(self) -> str:
        """What the intervals are, and which protocol each metric has."""
        return comparable_rows.facts([cell for row in self.cells for cell in row if cell])


def grid(rows: Rows, protocols: Protocols) -> ScoreGrid:
    """The grid of these scores, in their order."""
    labels = comparable_rows.labels(rows)
    names = list(dict.fromkeys(_name(row, labels) for row in rows))
    metrics, columns = [], []
    for metric in comparable_rows.metrics(rows):
        chosen = comparable_rows.of_metric(rows, protocols, metric, "a column")
        column = {_name(row, labels): row for row in chosen}
        if len(column) < len(chosen):
            raise InputError(
                f"two scores of {metric} have the same labels. Name what tells them apart."
            )
        metrics.append((metric, str(chosen[0]["protocol"])))
        columns.append(column)
    cells = [[column.get(name) for column in columns] for name in names]
    return ScoreGrid(labels, metrics, names, cells)


def markdown(table: ScoreGrid) -> str:
    """A table of Markdown, and a line that says what its intervals are."""
    heads = [
        *map(_in_markdown, table.labels),
        *(f"{_in_markdown(m)} `{h}`" for m, h in table.metrics),
    ]
    lines = [heads, ["---"] * len(table.labels) + ["---:"] * len(table.metrics)]
    for name, cells in zip(table.names, table.cells, strict=True):
        lines.append([*map(_in_markdown, name), *(_text(cell, "–") for cell in cells)])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{body}\n\n{_in_markdown(table.caption)}\n"


def comma_separated(table: ScoreGrid) -> str:
    """CSV, with the ends of the intervals and the counts in columns of their own."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    parts = ("value", "low", "high", "n")
    heads = [f"{metric} {part} ({digest})" for metric, digest in table.metrics for part in parts]
    writer.writerow([*table.labels, *heads])
    for name, cells in zip(table.names, table.cells, strict=True):
        writer.writerow([*name, *(text for cell in cells for text in _parts(cell))])
    return file.getvalue()


def latex(table: ScoreGrid) -> str:
    """A table of LaTeX that needs no package."""
    heads = [_in_latex(label) for label in table.labels]
    heads += [rf"{_in_latex(metric)} \texttt{{{digest}}}" for metric, digest in table.metrics]
    lines = [
        " & ".join([*map(_in_latex, name), *(_text(cell, "--") for cell in cells)])
        for name, cells in zip(table.names, table.cells, strict=True)
    ]
    columns = "l" * len(table.labels) + "r" * len(table.metrics)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_in_latex(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\hline",
            " & ".join(heads) + r" \\",
            r"\hline",
            *(line + r" \\" for line in lines),
            r"\hline",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def blocks(table: ScoreGrid, width: int) -> str:
    """For a terminal of this width: a block for each metric, with a line for each row."""
    names = [" ".join(filter(None, name)) or "all" for name in table.names]
    facts = table.caption.partition(" Protocols: ")[0]  # whose hashes stand beside the metrics
    widest = max(map(len, names))
    parts = []
    for number, (metric, digest) in enumerate(table.metrics):
        lines = [
            f"  {name:{widest}}  {_text(cells[number], '–')}{_count(cells[number])}"
            for name, cells in zip(names, table.cells, strict=True)
        ]
        parts.append("\n".join([f"{metric}  {digest}", *lines]))
    return "\n\n".join([*parts, textwrap.fill(facts, width)])


def _name(row: Row, labels: Sequence[str]) -> tuple[str, ...]:
    values = [row.get(label, "") for label in labels]
    return tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _text(cell: Row | None, lack: str) -> str:
    return lack if cell is None else rounding.with_interval(cell["value"], cell["interval"])


def _count(cell: Row | None) -> str:
    return "" if cell is None else f"  n={cell['n']}"


def _parts(cell: Row | None) -> tuple[str, str, str, str]:
    if cell is None:
        return "", "", "", ""
    low, high = rounding.ends(cell["value"], cell["interval"]) or ("", "")
    return rounding.rounded(cell["value"], cell["interval"]), low, high, str(cell["n"])


def _in_markdown(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _in_latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))
