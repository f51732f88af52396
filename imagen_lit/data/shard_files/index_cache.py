"""What was computed about files, cached beside them for as long as it is valid.

`write(path, stamp, arrays, texts)` stores named arrays and texts; the stamp describes the state of
the files that they were computed from. `read(path, stamp, names)` returns them, or None if the
cache is missing, outdated, damaged, or not ours: the files are the source of truth, and can be read
again.

The format is safetensors: nothing in it is ever executed. It is not `.npz`, whose headers numpy
reads as Python: the parser of Python 3.11.0 to 3.11.8 fails now and then under threads, with a
SystemError (cpython issue 106905), and killed a loader's worker.
"""

import errno
import hashlib
import json
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.data import sidecar_header

DTYPES = {"i8": "I64", "i1": "I8", "u1": "U8", "f8": "F64", "f4": "F32"}  # numpy's, safetensors'

log = logging.getLogger(__name__)


def meta_folder(folder: Path) -> Path:
    """`laion` -> `laion.meta`, beside a folder of shards, which itself stays untouched."""
    named = folder if folder.name.strip(".") else folder.resolve()  # "." and ".." have no name
    if not named.name:
        raise InputError(
            f"{folder} cannot be a folder of shards, because its index would have to lie beside "
            "it. Name another folder."
        )
    return named.with_name(named.name + ".meta")


def file_stamp(path: Path) -> list[int]:
    """A stamp that changes whenever a file does: size and time."""
    try:
        stat = os.stat(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing. Restore it.") from error
    return [stat.st_size, stat.st_mtime_ns]


def stamps(folder: Path) -> dict[str, list[int]]:
    """The stamp of every file beside a folder of shards: unchanged if nothing was computed."""
    return {file.name: file_stamp(file) for file in meta_folder(folder).glob("*")}


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, the order of keys aside."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def write(
    path: Path, stamp: object, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """Write atomically; on a read-only disk, warn once and store nothing."""
    try:
        with atomic_write(path) as file:
            _write(file, stamp, arrays, texts)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        _warn_read_only(path.parent)


def link_command(meta: Path) -> str:
    """What to type if nothing can be written into `laion.meta`, beside `laion`."""
    folder = meta.with_name(meta.name.removesuffix(".meta"))
    return f"type ln -s {folder.resolve()} {folder.name} in a folder of your own, and name the link"


@cache
def _warn_read_only(meta: Path) -> None:
    log.warning(
        "%s is not writable: what is computed about these shards is computed again every time. "
        "To keep it, %s",
        meta,
        link_command(meta),
    )


def _write(
    file: BinaryIO, stamp: object, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """Write one array after the other, straight from memory: they may fill most of it."""
    # Wide dtypes first, so that each array is aligned.
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    contiguous = {name: np.ascontiguousarray(arrays[name]) for name in names}
    tensors, end = {}, 0
    for name, array in contiguous.items():
        start, end = end, end + array.nbytes
        tensors[name] = {"dtype": DTYPES[array.dtype.str.lstrip("<|")], "shape": list(array.shape)}
        tensors[name] |= {"data_offsets": [start, end]}
    checksums = {name: _checksum(array) for name, array in contiguous.items()}
    fields = {"stamp": json.dumps(stamp), "arrays_crc32": json.dumps(checksums), **texts}
    fields["texts_crc32"] = str(_text_checksum(fields))
    file.write(sidecar_header.encode(fields, tensors))
    for array in contiguous.values():
        file.write(array.reshape(-1).view(np.uint8))  # type: ignore[call-overload]


def read(
    path: Path, stamp: object, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    """The arrays of these names, and no others, with all texts."""
    try:
        with safe_open(path, "numpy") as file:
            texts = file.metadata() or {}
            if texts.pop("texts_crc32") != str(_text_checksum(texts)):
                return None
            if texts["stamp"] != json.dumps(stamp):
                return None
            checksums = json.loads(texts["arrays_crc32"])
            arrays = {name: file.get_tensor(name) for name in names}
            if any(_checksum(array) != checksums[name] for name, array in arrays.items()):
                return None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    return arrays, texts


def _checksum(array: np.ndarray) -> int:
    layout = f"{array.dtype} {array.shape}".encode()
    return zlib.crc32(array, zlib.crc32(layout))  # type: ignore[arg-type]


def _text_checksum(texts: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(texts, sort_keys=True).encode())
