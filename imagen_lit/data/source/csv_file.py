"""A CSV file: the names of its columns, and its rows.

Python's reader takes all that follows an unclosed quote for one cell, without a word; here such a
file is refused, with the line where the quote opens. Between tabs a quote is a letter like others.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError

Row = dict[str, Any] | None  # None for one that cannot be read


def read(path: Path, separator: str = ",") -> tuple[list[str], list[Row]]:
    """Columns and rows; bytes that are not UTF-8 become surrogates."""
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        cells = [row for row in _cells(path, file, separator) if row != []]
    columns = (cells[0] if cells else None) or []
    if double := sorted({name for name in columns if name and columns.count(name) > 1}):
        raise InputError(
            f"{path} has more than one column {double[0]!r} in its first line. Rename all but one."
        )
    return columns, [None if row is None else _named(columns, row) for row in cells[1:]]


def _named(columns: list[str], row: list[str]) -> dict[str, Any]:
    """The cells by column; those beyond the columns have no name."""
    lacking = [None] * (len(columns) - len(row))
    named: dict[Any, Any] = dict(zip(columns, [*row, *lacking], strict=False))
    return named | ({None: row[len(columns) :]} if len(row) > len(columns) else {})


class _Lines(Iterator[str]):
    """The lines of a file, and whether more were wanted than there are."""

    def __init__(self, file: Iterator[str]) -> None:
        self.file, self.is_at_end = file, False

    def __next__(self) -> str:
        for line in self.file:
            return line
        self.is_at_end = True
        raise StopIteration


def _cells(path: Path, file: Iterator[str], separator: str) -> Iterator[list[str] | None]:
    lines = _Lines(file)
    quote = None if separator == "\t" else '"'
    reader = csv.reader(lines, delimiter=separator, quotechar=quote)
    while True:
        before = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # a cell beyond the limit; the next line begins a new row
            if reader.line_num > before + 1:
                raise _unclosed(path, before + 1) from error
            yield None
            continue
        if lines.is_at_end:  # a row's last line is enough for it, unless a quote is open there
            inside = len(list(io.StringIO(row[-1], newline="")))
            raise _unclosed(path, reader.line_num - max(inside, 1) + 1)
        yield row


def _unclosed(path: Path, line: int) -> InputError:
    return InputError(
        f"{path} has a quote in line {line} that is not closed, or only after more than "
        f"{csv.field_size_limit():,} letters, so the lines below it would be lost. Correct it, "
        'or write a quote inside a cell twice ("").'
    )
