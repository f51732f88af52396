"""The rows of a table of prompts in CSV, TSV, JSONL or Parquet, or a sentence that refuses it.

Between tabs a quote is a letter, as in PartiPrompts; between commas it encloses a cell.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file
from imagen_lit.data.source import csv_file, json_lines
from imagen_lit.data.source.parquet import Parquet

SEPARATORS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*SEPARATORS, ".jsonl", ".parquet")


def require_file(path: str, content: str) -> Path:
    """The file of prompts, which must be there."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {path}. Set prompts.path=... to {content}.")
    return file


def read(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows with all their cells; of a Parquet file, which may hold images, with `columns`
    alone. A row of a CSV or TSV whose cells are all blank is a spreadsheet's leftover, and none."""
    kind = file.suffix.lower()
    if kind not in SUFFIXES:
        raise InputError(f"{file} is no {', '.join(SUFFIXES)} file. Convert it to one.")
    if kind == ".parquet":
        rows = _parquet(file, columns)
    else:
        text_file.refuse_other_text(file, "one prompt per row")
        rows = _jsonl(file, columns) if kind == ".jsonl" else _separated(file, kind, columns)
    if not rows:
        raise InputError(f"{file} holds no prompts. Write one per row.")
    for number, row in enumerate(rows, 1):
        for column in columns:
            _refuse_other_encoding(file, number, row.get(column))
    return rows


def _separated(file: Path, kind: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    names, rows = csv_file.read(file, SEPARATORS[kind])
    _require_columns(file, columns, names)
    cells = []
    for number, row in enumerate(rows, 1):
        if row is None:
            raise InputError(f"row {number:,} of {file} has a cell that is too long. Correct it.")
        if None in row:  # what is beyond the columns
            raise InputError(
                f"row {number:,} of {file} has more cells than its first line names columns. "
                'Correct it: between commas, a cell with a comma of its own stands in quotes ("").'
            )
        if kind == ".tsv" and (doubled := _doubled(row)):
            raise InputError(
                f"row {number:,} of {file} writes a quote twice ({doubled}), as a .csv does, but "
                "in a .tsv a quote is a letter like others. Correct it, or save it as a .csv."
            )
        if any(cell and cell.strip() for cell in row.values()):
            cells.append(row)
    return cells


def _doubled(row: Mapping[str, Any]) -> str | None:
    return next((cell for cell in row.values() if cell and '""' in cell), None)


def _jsonl(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for number, row in enumerate(json_lines.read(file), 1):
        if row is None:
            raise InputError(f"row {number:,} of {file} is no JSON object. Correct or remove it.")
        rows.append(row)
    _require_columns(file, columns, list(dict.fromkeys(name for row in rows for name in row)))
    return rows


def _parquet(file: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    table = Parquet(file)
    _require_columns(file, columns, table.names)
    cells = [list(table.cells(column)) for column in columns]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _require_columns(file: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    if lacking := [column for column in columns if column not in names]:
        there = ", ".join(name.strip() for name in names if name) or "none"
        raise InputError(
            f"{file} has no column {lacking[0]!r}, it has {there}. Set prompts.column=... (and "
            "category, id) to names of these; a .csv has commas between them, a .tsv tabs."
        )


def _refuse_other_encoding(file: Path, number: int, cell: Any) -> None:
    try:
        if isinstance(cell, str):
            cell.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"row {number:,} of {file} is not UTF-8. Convert the file: save it as UTF-8."
        ) from error
