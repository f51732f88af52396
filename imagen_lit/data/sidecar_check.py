"""The check of all sidecars against all shards, made once: its result is valid while every file
keeps its size and its time. It is cached beside the folder, in `datasets/laion.meta`."""

import json
from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.data import sidecar
from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.shard_files.collection import Collection

VERSION = 3


def cached_check(shards: Collection, text: Path) -> dict[str, str]:
    """The encoder that made all sidecars in `text`, or an error, which is not cached."""
    name = index_cache.digest(str(text.resolve()))[:16]
    file = index_cache.meta_folder(shards.folder) / f"text-{name}.safetensors"
    try:
        states = [index_cache.file_stamp(_path(text, shard)) for shard in shards.paths]
    except OSError:  # a sidecar is missing, which the check reports
        return _check(shards, text)
    stamp = index_cache.digest([VERSION, shards.stamp, states])
    if (cached := index_cache.read(file, stamp, ())) is not None:
        return json.loads(cached[1]["encoder"])
    encoder = _check(shards, text)
    index_cache.write(file, stamp, {}, {"encoder": json.dumps(encoder)})
    return encoder


def _check(shards: Collection, text: Path) -> dict[str, str]:
    """Check that every sidecar belongs to its shard, and that one encoder made them all."""
    first: dict[str, str] = {}
    for number, shard in enumerate(shards.paths):
        file = sidecar.open_checked(_path(text, shard), shards.open(number))
        kind = sidecar.kind(file.fields)
        if difference := sidecar.differences(kind, first or kind):
            raise InputError(
                f"{text} mixes encoders or precisions: {file.path.name} differs from "
                f"{_path(text, shards.paths[0]).name}: {difference}. Delete the files of one kind, "
                f"then type: {sidecar.command(shards.folder, text)}"
            )
        first = first or kind
    return sidecar.encoder_fields(first)


def _path(text: Path, shard: Path) -> Path:
    return text / f"{shard.stem}.safetensors"
