"""A cell of an ablation: one command with its settings, whose folder in runs/ is named by what
differs from the scale's usual settings. Two ablations with the same cell share it.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagen_lit.cli import override

BY_HAND = "by hand"  # the command of a cell that a person does; its setting `line` is what to type
LONGEST = 120  # letters of a folder's name; of a longer one, a digest
UNSAFE = re.compile(r"[^\w.-]+")  # for a folder, and for a word that needs no quotes


@dataclass(frozen=True)
class Cell:
    """`name`: of its folder, in runs/ for `train` and `evaluate`, else from where commands start.
    `needs`: the names of the cells that have to be done before it."""

    command: str
    settings: Mapping[str, Any]
    name: str
    needs: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words after `python -m imagen_lit.<command>`."""
        return override.words(self.settings)

    @property
    def line(self) -> str:
        """What a person types."""
        if self.command == BY_HAND:
            return str(self.settings["line"])
        return shlex.join(["python", "-m", f"imagen_lit.{self.command}", *self.words])


def folder_name(differences: Mapping[str, Any]) -> str:
    """A name for these settings, the same whatever their order; `usual` where nothing differs."""
    if not differences:
        return "usual"
    pairs = sorted((_short(key), _text(value)) for key, value in differences.items())
    parts = [UNSAFE.sub("-", f"{key}-{value}") for key, value in pairs]
    name = "+".join(parts)
    is_exact = not any(UNSAFE.search(key) or UNSAFE.search(value) for key, value in pairs)
    if is_exact and len(name) <= LONGEST:
        return name
    exact = json.dumps(sorted(differences.items()), sort_keys=True)
    shortest = "+".join(sorted(parts, key=lambda part: (len(part), part)))  # they tell most
    return f"{shortest[:LONGEST]}-{hashlib.sha256(exact.encode()).hexdigest()[:6]}"


def _short(key: str) -> str:
    """The place that is set, without what all keys of a cascade share."""
    place = key.lstrip("+~").rpartition("@")[2]
    return place.removeprefix("cascade.").replace(".recipe.", ".").replace("/", ".")


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
