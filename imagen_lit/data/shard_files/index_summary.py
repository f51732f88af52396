"""All indexes of a collection in one: `counts` of samples and keys `left_out`, a row per shard, and
the `hashes` of the keys, a row per sample.

Gathered from the indexes once and cached beside the folder, in `datasets/laion.meta`; gathered
again when a tar was added, removed or changed. So forty thousand shards cost forty thousand stat
calls and reading one file.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.shard_files.index_cache import file_stamp, meta_folder
from imagen_lit.data.shard_files.shard_index import index

VERSION = 1


def stamp(paths: Sequence[Path]) -> str:
    """A digest that changes whenever any of the tars does."""
    return index_cache.digest([VERSION, [[path.name, *file_stamp(path)] for path in paths]])


def columns(paths: Sequence[Path], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The `names` among `counts` [shards], `left_out` [shards] and `hashes` [samples], in the order
    of the shards."""
    file, state = meta_folder(paths[0].parent) / "summary.safetensors", stamp(paths)
    if (cached := index_cache.read(file, state, names)) is not None:
        return cached[0]
    counts, left_out, hashes = [], [], bytearray()  # a bytearray grows without a second copy
    for path in paths:
        shard = index(path)
        counts.append(len(shard.keys))
        left_out.append(sum(json.loads(shard.left_out).values()))
        hashes += shard.hashes.tobytes()
    summary = {
        "counts": np.array(counts, np.int64),
        "left_out": np.array(left_out, np.int64),
        "hashes": np.frombuffer(hashes, np.int64),
    }
    index_cache.write(file, state, summary, {})
    return {name: summary[name] for name in names}
