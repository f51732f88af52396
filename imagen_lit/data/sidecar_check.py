"""The check of all sidecars against all shards, made once: its result is valid until the size or
the time of a file changes. It is cached beside the folder, in `datasets/laion.meta`."""

import json
from pathlib import Path
from typing import NamedTuple

from imagen_lit.basics.errors import InputError
from imagen_lit.data import lost_captions, sidecar
from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.shard_files.collection import Collection

VERSION = 4


class Text(NamedTuple):
    """What all sidecars of a folder say together."""

    encoder: dict[str, str]  # that made them
    lost: list[str]  # what it lost of the captions, in words


def cached_check(shards: Collection, text: Path) -> Text:
    """What the sidecars in `text` say, or an error, which is not cached."""
    name = index_cache.digest(str(text.resolve()))[:16]
    file = index_cache.meta_folder(shards.folder) / f"text-{name}.safetensors"
    try:
        states = [index_cache.file_stamp(_path(text, shard)) for shard in shards.paths]
    except OSError:  # a sidecar is missing, which the check reports
        return _check(shards, text)
    stamp = index_cache.digest([VERSION, shards.stamp, states])
    if (cached := index_cache.read(file, stamp, ())) is not None:
        return Text(*(json.loads(cached[1][name]) for name in Text._fields))
    checked = _check(shards, text)
    texts = {name: json.dumps(value) for name, value in checked._asdict().items()}
    index_cache.write(file, stamp, {}, texts)
    return checked


def _check(shards: Collection, text: Path) -> Text:
    """Check that every sidecar belongs to its shard, and that one encoder made them all."""
    first: dict[str, str] = {}
    lost: list[dict[str, str]] = []
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
        lost.append(lost_captions.of(file.fields))
    encoder = sidecar.encoder_fields(first)
    return Text(encoder, lost_captions.report(encoder.get("encoder", text.name), lost))


def _path(text: Path, shard: Path) -> Path:
    return text / f"{shard.stem}.safetensors"
