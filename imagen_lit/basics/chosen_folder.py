"""A folder that a person chose: what stands in its way is named with the setting, before any work.

    folder = chosen_folder.of("out", cfg.out)
    chosen_folder.require_writable("out", cfg.out, folder)

The setting may be a part of the path alone: `name=mine` leads to `runs/mine`.
"""

import os
from pathlib import Path
from typing import Any

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError


def of(name: str, value: Any) -> Path:
    """The folder, which need not exist; refused where something else stands in its place."""
    folder = arguments.path(name, value)
    refuse_file(name, value, folder)
    return folder


def existing(name: str, value: Any) -> Path:
    """The same for a folder that has to be there, for what is put into it."""
    folder = of(name, value)
    if not folder.is_dir():
        raise InputError(f"{name}={value} is no folder. Set {name}=... to one that is there.")
    require_writable(name, value, folder)
    return folder


def refuse_file(name: str, value: Any, folder: Path) -> None:
    """Raise if the folder, or one above it, is a file or a link that leads nowhere."""
    if (place := first_that_exists(folder)) is None or place.is_dir():
        return
    kind = "a file" if place.exists() else "a link that leads nowhere"
    raise InputError(
        f"{name}={value} needs a folder where {place} is {kind}. Set {name}=... to another place, "
        "or move that away."
    )


def require_writable(name: str, value: Any, folder: Path) -> None:
    """Raise if the folder cannot be made, or nothing can be put into it."""
    refuse_file(name, value, folder)
    place = first_that_exists(folder)
    if place is not None and not os.access(place, os.W_OK | os.X_OK):
        raise InputError(
            f"{name}={value} leads into {place}, where you may not write. Set {name}=... to "
            "another place, or change its permissions."
        )


def first_that_exists(path: Path) -> Path | None:
    """The path itself, or else the nearest one above it that is there, of whatever kind."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), None)
