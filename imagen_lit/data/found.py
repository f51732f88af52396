"""What was found out about files, kept beside them for as long as it holds.

`keep(path, stamp, arrays, texts)` keeps named arrays and texts; the stamp says of which state of
the files they are. `read(path, stamp, names)` gives them back, or None where nothing is kept, where
it is of another state, damaged, or none of ours: the files are the truth, and can be asked again.

The form is safetensors: nothing in it is ever run. It is not `.npz`, whose headers numpy reads as
Python: the parser of Python 3.11.0 to 3.11.8 fails now and then where there are threads, with a
SystemError (cpython issue 106905), and a loader's worker was lost to it.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from imagen_lit.data.aside import aside


def keep(
    path: Path, stamp: object, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    sums = {name: _sum(array) for name, array in whole.items()}
    said = {"stamp": json.dumps(stamp), "arrays_crc32": json.dumps(sums), **texts}
    with aside(path) as file:
        file.write(save(whole, said | {"texts_crc32": str(_text_sum(said))}))


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
    return zlib.crc32(array, zlib.crc32(f"{array.dtype} {array.shape}".encode()))


def _text_sum(texts: Mapping[str, str]) -> int:
    return zlib.crc32(json.dumps(texts, sort_keys=True).encode())
