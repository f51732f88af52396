"""The header of a text sidecar: its layout follows from four values, and any other is refused.

`layout` is what a file of so many rows and tokens must say about its tensors; `write` and `read`
both use it, so a header that claims anything else is refused before any of its numbers is used. A
file that ends before its header says so is `CutShort`; any other that disagrees is not ours.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from imagen_lit.basics.errors import InputError

FAMILY = "imagen_lit sidecar "
FORMAT = FAMILY + "2"
DTYPES = {"bfloat16": "BF16", "float32": "F32", "int8": "I8"}  # torch's name -> the format's
MAX_BYTES = 1 << 20
PREFIX = b'{"__metadata__":{'
FIX = "Move it elsewhere or delete it."


class CutShort(InputError):
    """The file is the beginning of a sidecar, and can be made again."""


def layout(storage: str, rows: int, tokens: int, width: int) -> dict[str, dict[str, Any]]:
    """Every tensor's dtype, shape and offsets, in the order of the file."""
    # The offsets first: eight-byte numbers on an eight-byte boundary.
    tensors = {"offsets": ("I64", 8, [rows + 1])}
    if storage == "int8" and rows:
        tensors |= {"channel": ("F32", 4, [width]), "token": ("F32", 4, [tokens])}
    tensors["embeddings"] = (DTYPES[storage], getattr(torch, storage).itemsize, [tokens, width])
    entries, end = {}, 0
    for name, (dtype, itemsize, shape) in tensors.items():
        start, end = end, end + itemsize * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return entries


def encode(fields: Mapping[str, str], tensors: Mapping[str, Any]) -> bytes:
    """The header's bytes: the same fields and tensors give the same bytes."""
    header = {"__metadata__": dict(sorted(fields.items()))} | dict(tensors)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read(file: int, path: Path) -> tuple[dict[str, str], dict[str, Any], int]:
    """The fields, the tensors, and where the tensors' bytes begin."""
    size = os.fstat(file).st_size
    length = int.from_bytes(os.pread(file, 8, 0), "little")
    is_whole = size >= 8 + max(length, 1)
    prefix = os.pread(file, len(PREFIX), 8)
    if length > MAX_BYTES or not (is_whole or PREFIX.startswith(prefix)):
        raise _not_ours(path)
    if not is_whole:
        raise CutShort(
            f"{path} was cut short: it has {size} bytes, fewer than its header. Make it again."
        )
    fields, tensors = _parse(os.pread(file, length, 8), path)
    end = 8 + length + tensors["embeddings"]["data_offsets"][1]
    if size < end:
        raise CutShort(f"{path} was cut short: it has {size} bytes of {end}. Make it again.")
    if size > end:
        raise InputError(f"{path} has {size} bytes, {size - end} more than its header says. {FIX}")
    return fields, tensors, 8 + length


def _parse(text: bytes, path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_ours(path) from error
    match header:
        case {"__metadata__": {"format": format, "storage": storage} as fields} if (
            format == FORMAT and all(isinstance(value, str) for value in fields.values())
        ):
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
        case {"__metadata__": {"format": str(format)}} if (
            format.startswith(FAMILY) and format != FORMAT
        ):
            raise InputError(
                f"{path} was made by another version of imagen_lit ({format!r}, not {FORMAT!r}). "
                f"Delete {path.parent}, then embed the captions again."
            )
        case _:
            raise _not_ours(path)
    match tensors:
        case {
            "offsets": {"shape": [int(offsets)]},
            "embeddings": {"shape": [int(tokens), int(width)]},
        } if (
            storage in DTYPES
            and offsets > 0
            and min(tokens, width) >= 0
            and tensors == layout(storage, offsets - 1, tokens, width)
        ):
            return fields, tensors
    raise InputError(f"{path} has a header that contradicts itself. {FIX}")


def _not_ours(path: Path) -> InputError:
    return InputError(f"{path} is not a text embedding file of imagen_lit. {FIX}")
