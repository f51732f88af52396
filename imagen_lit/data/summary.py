"""What all indexes of a collection say together, a row a shard or a sample: `counts` of samples,
`left_out` (what is no sample), and the `hashes` of the keys.

Gathered from the indexes once and kept beside the folder, in `datasets/laion.meta`; made anew when
a tar has come, gone or changed. So forty thousand shards cost forty thousand looks at a size and a
time, and one file.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagen_lit.data import found
from imagen_lit.data.shard import index, meta, state

VERSION = 1


def stamp(paths: Sequence[Path]) -> str:
    """What changes whenever any of the tars does."""
    said = [VERSION, [[path.name, *state(path)] for path in paths]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def columns(paths: Sequence[Path], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of `counts` [shards], `left_out` [shards], `hashes` [samples] those asked for, shard after
    shard."""
    file, now = meta(paths[0].parent) / "summary.safetensors", stamp(paths)
    if (read := found.read(file, now, names)) is not None:
        return read[0]
    counts, left_out, hashes = [], [], bytearray()  # which grows without a second copy
    for path in paths:
        of = index(path)
        counts.append(len(of.keys))
        left_out.append(sum(json.loads(of.left_out).values()))
        hashes += of.hashes.tobytes()
    whole = {
        "counts": np.array(counts, np.int64),
        "left_out": np.array(left_out, np.int64),
        "hashes": np.frombuffer(hashes, np.int64),
    }
    found.keep(file, now, whole, {})
    return {name: whole[name] for name in names}
