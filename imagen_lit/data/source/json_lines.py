"""A JSONL file: an object on each line that is not blank."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read(path: Path) -> list[dict[str, Any] | None]:
    """The objects, None for a line that is none; bytes that are not UTF-8 become surrogates."""
    return [row for _, row in numbered(path)]


def numbered(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The same, each with the number of its line, from 1."""
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, _object(line)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, an endless number, too deep
        return None
    return value if isinstance(value, dict) else None
