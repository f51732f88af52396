"""What drew an image, inside its own file: one JSON object, and a title for other viewers. In a PNG
these are texts; in a WebP or JPEG the comment and the description of the EXIF.

It holds neither a time nor the name of a machine, so that the same image has the same bytes.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

import imagen_lit
from imagen_lit.basics.errors import InputError

KEY = "imagen_lit"
VERSIONS = "versions"
FORMATS = ("PNG", "WEBP", "JPEG")
EXIF, COMMENT, DESCRIPTION = 0x8769, 0x9286, 0x010E  # tags; the comment lies in a part of its own
ASCII = b"ASCII\0\0\0"  # how EXIF says what a comment is written in


def texts(facts: Mapping[str, Any], title: str) -> dict[str, str]:
    """The texts of a PNG: the facts with the versions of imagen_lit and torch, and the title."""
    import torch  # reading needs none

    versions = {"imagen_lit": imagen_lit.__version__, "torch": str(torch.__version__)}
    return {KEY: json.dumps({**facts, VERSIONS: versions}), "Description": title}


def exif(texts: Mapping[str, str]) -> bytes:
    """The same for the formats that have no texts but EXIF."""
    tags = Image.Exif()
    tags[DESCRIPTION] = texts["Description"].encode()
    tags.get_ifd(EXIF)[COMMENT] = ASCII + texts[KEY].encode("ascii")  # JSON escapes all else
    return tags.tobytes()


def read(path: Path) -> dict[str, Any] | None:
    """The facts in an image file; None if it holds none."""
    try:
        with Image.open(path, formats=FORMATS) as image:
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
        facts = json.loads(info[KEY] if KEY in info else _comment(info["exif"]))
    except (KeyError, TypeError, ValueError, RecursionError, SyntaxError, struct.error):
        return None
    is_ours = isinstance(facts, dict) and (KEY in info or VERSIONS in facts)
    return facts if is_ours else None


def _comment(exif: bytes) -> bytes:
    tags = Image.Exif()
    tags.load(exif)
    comment = bytes(tags.get_ifd(EXIF)[COMMENT])
    return comment.removeprefix(ASCII)


def refuse_other_file(file: Path, key: str, kind: str) -> None:
    """Raise if a file of this name has no such fact: then it is no `kind` of ours."""
    if file.exists() and key not in (read(file) or {}):
        raise InputError(
            f"{file} is no {kind} of imagen_lit, and would be lost. "
            "Rename it, or choose another folder with out=..."
        )
