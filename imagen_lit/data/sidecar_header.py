"""The header of a text sidecar: laid out in one place, and believed only where it agrees with that.

`layout` is what a file of so many rows and tokens must say of its tensors; `write` and `read` both
go by it, so a header that claims anything else is refused before a number of it is used. A file
that ends before its header says so is `CutShort`; any other that does not agree is none of ours.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

FORMAT = "imagen_lit sidecar 1"
STORED = {"bfloat16": "BF16", "float32": "F32", "int8": "I8"}  # torch's name -> the format's
LONGEST = 1 << 20
BEGINNING = b'{"__metadata__":{'
CURE = "move it elsewhere or delete it."


class CutShort(ValueError):
    """The file is the beginning of one, and can be made again."""


def layout(stored: str, rows: int, tokens: int, width: int) -> dict[str, dict[str, Any]]:
    """Every tensor's dtype, shape and place, in the order of the file."""
    # The offsets first: eight-byte numbers on an eight-byte boundary.
    tensors = {"offsets": ("I64", 8, [rows + 1])}
    if stored == "int8" and rows:
        tensors |= {"channel": ("F32", 4, [width]), "token": ("F32", 4, [tokens])}
    tensors["embeddings"] = (STORED[stored], getattr(torch, stored).itemsize, [tokens, width])
    found, end = {}, 0
    for name, (dtype, each, shape) in tensors.items():
        start, end = end, end + each * math.prod(shape)
        found[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    return found


def text(fields: Mapping[str, str], tensors: Mapping[str, Any]) -> bytes:
    """The header's bytes: the same fields and tensors give the same ones."""
    said = json.dumps({"__metadata__": dict(sorted(fields.items()))} | dict(tensors),
                      separators=(",", ":")).encode()  # fmt: skip
    said += b" " * (-len(said) % 8)
    return len(said).to_bytes(8, "little") + said


def read(file: int, path: Path) -> tuple[dict[str, str], dict[str, Any], int]:
    """The fields, the tensors, and where the tensors' bytes begin."""
    size = os.fstat(file).st_size
    length = int.from_bytes(os.pread(file, 8, 0), "little")
    whole = size >= 8 + max(length, 1)
    begins = os.pread(file, len(BEGINNING), 8)
    if length > LONGEST or not (whole or BEGINNING.startswith(begins)):
        raise _not_ours(path)
    if not whole:
        raise CutShort(f"{path} was cut short: it has {size} bytes, and its header goes on.")
    fields, tensors = _parsed(os.pread(file, length, 8), path)
    end = 8 + length + tensors["embeddings"]["data_offsets"][1]
    if size < end:
        raise CutShort(f"{path} was cut short: it has {size} bytes of {end}.")
    if size > end:
        raise ValueError(f"{path} has {size} bytes, {size - end} more than its header says: {CURE}")
    return fields, tensors, 8 + length


def _parsed(said: bytes, path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        header = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise _not_ours(path) from error
    match header:
        case {"__metadata__": {"format": format, "stored": stored} as fields} if (
            format == FORMAT and all(isinstance(value, str) for value in fields.values())
        ):
            tensors = {name: said for name, said in header.items() if name != "__metadata__"}
        case _:
            raise _not_ours(path)
    match tensors:
        case {
            "offsets": {"shape": [int(offsets)]},
            "embeddings": {"shape": [int(tokens), int(width)]},
        } if (
            stored in STORED
            and offsets > 0
            and min(tokens, width) >= 0
            and tensors == layout(stored, offsets - 1, tokens, width)
        ):
            return fields, tensors
    raise ValueError(f"{path} has a header that contradicts itself: {CURE}")


def _not_ours(path: Path) -> ValueError:
    return ValueError(f"{path} is not a file of text embeddings of ours: {CURE}")
