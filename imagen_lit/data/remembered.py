"""A check of all sidecars against all shards, made once: its answer holds as long as every file
keeps its size and its time. It stands beside the folder, in `datasets/laion.meta`."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from imagen_lit.data import found
from imagen_lit.data.collection import Collection
from imagen_lit.data.shard import meta, state

VERSION = 2
Encoder = dict[str, str]


def remembered(
    check: Callable[[Collection, Path], Encoder], shards: Collection, text: Path
) -> Encoder:
    """What `check(shards, text)` answers; errors are not remembered."""
    name = hashlib.sha256(str(text.resolve()).encode()).hexdigest()[:16]
    kept = meta(shards.folder) / f"text-{name}.safetensors"
    try:
        stamp = _stamp(shards, text)
    except OSError:  # a sidecar is missing, which the check puts into words
        return check(shards, text)
    if (read := found.read(kept, stamp, ())) is not None:
        return json.loads(read[1]["encoder"])
    encoder = check(shards, text)
    found.keep(kept, stamp, {}, {"encoder": json.dumps(encoder)})
    return encoder


def _stamp(shards: Collection, text: Path) -> str:
    states = [state(text / f"{path.stem}.safetensors") for path in shards.paths]
    said = [VERSION, shards.stamp, states]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
