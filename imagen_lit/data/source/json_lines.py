"""A JSONL file: an object on each line that is not blank."""

import json
from pathlib import Path
from typing import Any


def read(path: Path) -> list[dict[str, Any] | None]:
    """The objects, None for a line that is none; bytes that are not UTF-8 become surrogates."""
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        return [_object(line) for line in file if line.strip()]


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, an endless number, too deep
        return None
    return value if isinstance(value, dict) else None
