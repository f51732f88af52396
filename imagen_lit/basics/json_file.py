"""A JSON file that another program, a full disk or a person may have spoilt: a mapping is read, or
the file refused in a sentence that names it.

Only regular files are opened: a pipe would keep its reader waiting for ever.
"""

import json
from pathlib import Path
from typing import Any

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.errors import InputError


def read(file: Path, advice: str) -> dict[str, Any]:
    """The mapping in a file; raise, with the advice, if it holds none."""
    if file.exists() and not file.is_file():
        raise InputError(f"{file} is no regular file. {advice}")
    try:
        value = json.loads(file.read_text())
    except RecursionError as error:
        raise InputError(f"{file} is damaged: it is nested too deeply. {advice}") from error
    except ValueError as error:  # also of bytes that are no text
        raise InputError(f"{file} is damaged: it is not valid JSON. {advice}") from error
    if not isinstance(value, dict):
        raise InputError(f"{file} is damaged: it holds no mapping. {advice}")
    return value


def writable(name: str, value: Any) -> Path | None:
    """The file that a setting chooses to be written, refused before the work if it cannot be; None
    for null."""
    if value is None:
        return None
    file = arguments.path(name, value)
    if file.suffix != ".json" or file.is_dir():
        raise InputError(f"{name}={value} is no .json file. Set {name}=mine.json, for example.")
    chosen_folder.require_writable(name, value, file.parent)
    return file
