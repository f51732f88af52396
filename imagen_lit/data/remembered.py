"""A check of all sidecars against all shards, made once: its answer holds as long as every file
keeps its size and its time. It stands beside the folder, `datasets/laion.meta/text-….json`."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from imagen_lit.data.aside import aside
from imagen_lit.data.collection import Collection
from imagen_lit.data.shard import meta

VERSION = 1
Encoder = dict[str, str]


def remembered(
    check: Callable[[Collection, Path], Encoder], shards: Collection, text: Path
) -> Encoder:
    """What `check(shards, text)` answers; errors are not remembered."""
    name = hashlib.sha256(str(text.resolve()).encode()).hexdigest()[:16]
    kept, now = meta(shards.folder) / f"text-{name}.json", _stamp(shards, text)
    try:
        found = json.loads(kept.read_text())
        if now is not None and found["stamp"] == now:
            return found["encoder"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    encoder = check(shards, text)
    with aside(kept) as file:
        file.write(json.dumps({"stamp": now, "encoder": encoder}).encode())
    return encoder


def _stamp(shards: Collection, text: Path) -> str | None:
    """None where a sidecar is missing, which the check puts into words."""
    states = []
    for path in shards.paths:
        try:
            found = (text / f"{path.stem}.safetensors").stat()
        except OSError:
            return None
        states.append([found.st_size, found.st_mtime_ns])
    said = [VERSION, shards.stamp, states]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
