"""What was found out about files, kept beside them for as long as it holds.

`keep(path, stamp, arrays, texts)` keeps named arrays and texts; the stamp says of which state of
the files they are. `read(path, stamp, names)` gives them back, or None where nothing is kept, where
it is of another state, damaged, or none of ours: the files are the truth, and can be asked again.

The form is safetensors: nothing in it is ever run. It is not `.npz`, whose headers numpy reads as
Python: the parser of Python 3.11.0 to 3.11.8 fails now and then where there are threads, with a
SystemError (cpython issue 106905), and a loader's worker was lost to it.
"""

import errno
import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from imagen_lit.data import sidecar_header
from imagen_lit.data.aside import aside

KINDS = {"i8": "I64", "i1": "I8", "u1": "U8", "f8": "F64", "f4": "F32"}  # numpy's and the format's

log = logging.getLogger(__name__)


def keep(
    path: Path, stamp: object, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """Where nothing may be written this is said, once, and what was found out is not kept."""
    try:
        with aside(path) as file:
            _write(file, stamp, arrays, texts)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        _say_it_is_not_kept(path.parent)


def link(meta: Path) -> str:
    """What to type where nothing may be written into `laion.meta`, beside `laion`."""
    folder = meta.with_name(meta.name.removesuffix(".meta"))
    return f"type ln -s {folder.resolve()} {folder.name}, in a folder of your own, and name it"


@cache
def _say_it_is_not_kept(meta: Path) -> None:
    log.warning(
        "nothing may be written into %s: what is found out about these shards is found out anew "
        "every time. To keep it, %s",
        meta,
        link(meta),
    )


def _write(
    file: BinaryIO, stamp: object, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """One array after the other, as they lie in memory: they may be most of it."""
    # Those of wide numbers first, so that each begins on a boundary of its own.
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    whole = {name: np.ascontiguousarray(arrays[name]) for name in names}
    places, end = {}, 0
    for name, array in whole.items():
        start, end = end, end + array.nbytes
        places[name] = {"dtype": KINDS[array.dtype.str.lstrip("<|")], "shape": list(array.shape)}
        places[name] |= {"data_offsets": [start, end]}
    sums = {name: _sum(array) for name, array in whole.items()}
    said = {"stamp": json.dumps(stamp), "arrays_crc32": json.dumps(sums), **texts}
    file.write(sidecar_header.text(said | {"texts_crc32": str(_text_sum(said))}, places))
    for array in whole.values():
        file.write(array.reshape(-1).view(np.uint8))  # type: ignore[call-overload]


def read(
    path: Path, stamp: object, names: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    """The arrays of these names, of which only these are read, and all texts."""
    try:
        with safe_open(path, "numpy") as file:
            said = file.metadata() or {}
            if said.pop("texts_crc32") != str(_text_sum(said)) or said["stamp"] != json.dumps(
                stamp
            ):
                return None
            sums = json.loads(said["arrays_crc32"])
            arrays = {name: file.get_tensor(name) for name in names}
            if any(_sum(array) != sums[name] for name, array in arrays.items()):
                return None
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    return arrays, said


def _sum(array: np.ndarray) -> int:
    told = f"{array.dtype} {array.shape}".encode()
    return zlib.crc32(array, zlib.crc32(told))  # type: ignore[arg-type]


def _text_sum(texts: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(texts, sort_keys=True).encode())
