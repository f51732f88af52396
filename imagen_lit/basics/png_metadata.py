"""What drew an image, inside its own PNG file: one JSON object, and a title for other viewers.

It holds neither a time nor the name of a machine, so that the same image has the same bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import imagen_lit
from imagen_lit.basics.errors import InputError

KEY = "imagen_lit"
VERSIONS = "versions"


def texts(facts: Mapping[str, Any], title: str) -> dict[str, str]:
    """The PNG's text chunks: the facts with the versions of imagen_lit and torch, and the title."""
    import torch  # reading needs none

    versions = {"imagen_lit": imagen_lit.__version__, "torch": str(torch.__version__)}
    return {KEY: json.dumps({**facts, VERSIONS: versions}), "Description": title}


def read(path: Path) -> dict[str, Any] | None:
    """The facts in a PNG file; None if it holds none."""
    try:
        with Image.open(path, formats=("PNG",)) as image:
            facts = of(image.info)
            image.load()  # which a file that was cut short does not survive
    except (ValueError, OSError, SyntaxError):  # PIL's of a bad chunk
        return None
    except Image.DecompressionBombError:  # far larger than any image of ours
        return None
    return facts


def of(info: Mapping[Any, Any]) -> dict[str, Any] | None:
    """The facts among what PIL knows of an open image, before its pixels are read; None if there
    are none."""
    try:
        facts = json.loads(info[KEY])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def refuse_other_file(file: Path, key: str, kind: str) -> None:
    """Raise if a file of this name has no such fact: then it is no `kind` of ours."""
    if file.exists() and key not in (read(file) or {}):
        raise InputError(
            f"{file} is no {kind} of imagen_lit, and would be lost. "
            "Rename it, or choose another folder with out=..."
        )
