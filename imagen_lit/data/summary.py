"""What all indexes of a collection say together, a row a shard or a sample: `counts` of samples,
`left_out` (what is no sample), and the `hashes` of the keys.

Gathered from the indexes once and kept beside the folder, `datasets/laion.meta/summary.npz`; made
anew when a tar has come, gone or changed. So forty thousand shards cost forty thousand looks at a
size and a time, and one file.
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagen_lit.data.aside import aside
from imagen_lit.data.shard import index, meta, state

VERSION = 1


def stamp(paths: Sequence[Path]) -> str:
    """What changes whenever any of the tars does."""
    said = [VERSION, [[path.name, *state(path)] for path in paths]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def column(paths: Sequence[Path], name: str) -> np.ndarray:
    """One of `counts` [shards], `left_out` [shards], `hashes` [samples], shard after shard."""
    file, now = meta(paths[0].parent) / "summary.npz", stamp(paths)
    try:
        with np.load(file, allow_pickle=False) as kept:
            if str(kept["stamp"]) == now:
                return kept[name]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        pass
    counts, left_out, hashes = [], [], [np.zeros(0, np.int64)]
    for path in paths:
        found = index(path)
        counts.append(len(found.keys))
        left_out.append(sum(json.loads(found.left_out).values()))
        hashes.append(found.hashes)
    columns = {
        "counts": np.array(counts, np.int64),
        "left_out": np.array(left_out, np.int64),
        "hashes": np.concatenate(hashes),
    }
    with aside(file) as handle:
        np.savez(handle, stamp=np.array(now), **columns)
    return columns[name]
