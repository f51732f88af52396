"""The order in which a person counts files: 2.png before 10.png, folder by folder."""

import re
from collections.abc import Iterable


def natural_order(names: Iterable[str]) -> list[str]:
    """Relative names, sorted; the same on every machine, whatever its language."""
    return sorted(names, key=_key)


def _key(name: str) -> tuple[list[list[tuple[int, int, str]]], str]:
    """Numbers before words; names that differ in zeros only, as 1 and 01, by their letters."""
    parts = (re.findall(r"[0-9]+|[^0-9]+", part) for part in name.split("/"))
    words = [[(0, int(w), "") if w.isdecimal() else (1, 0, w) for w in part] for part in parts]
    return words, name
