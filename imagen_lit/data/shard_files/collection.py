"""A collection: a folder of shards; an incomplete one is an error.

`Collection(folder)` lists the shards in the order of their names and opens any of them. If the
folder was made or surveyed by `python -m imagen_lit.build_shards`, its manifest
(`<folder>.meta/manifest.json`) says which shards there must be, and how large; it is written before
the first shard (the plan) and again after the last. Shards made by img2dataset need no manifest:
their `_stats.json` files give their sample counts. Tars are never opened here, and indexes only the
first time (`index_summary`).
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff
from imagen_lit.basics.short_form import quantity
from imagen_lit.data.shard_files import index_cache, index_summary, metadata
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.data.shard_files.shard import Shard

COMMAND = "python -m imagen_lit.build_shards"


class Collection:
    """The shards of a folder: `paths`, `counts` of samples, and `open(number)`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.paths = sorted(self.folder.glob("*.tar"))
        manifest = read_manifest(self.folder)
        if manifest is not None:
            check_names(self.folder, self.paths, manifest)
        if not self.paths:
            raise FileNotFoundError(
                f"There are no shards in {self.folder}. Type {COMMAND} for the demo's, {COMMAND} "
                "data/source=emoji for emoji, or name the folder that holds yours."
            )
        self.counts = _counts(self.paths, manifest["shards"] if manifest else {})

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def stamp(self) -> str:
        """A digest that changes whenever any of the shards does."""
        return index_summary.stamp(self.paths)

    def open(self, shard: int) -> Shard:
        """A shard by its number."""
        return Shard(self.paths[shard])


def check_names(folder: Path, paths: Sequence[Path], manifest: dict[str, Any]) -> None:
    """Refuse a folder whose shards are not those of the manifest."""
    expected, names = set(manifest["shards"]), {path.stem for path in paths}
    if missing := sorted(expected - names):
        raise FileNotFoundError(
            f"{folder} has {len(names & expected)} of its {len(expected)} shards "
            f"({missing[0]}.tar is missing). Repeat the command that made it, {COMMAND} …, or "
            f"bring the shard back; if it is gone on purpose, {reindex_command(folder)}"
        )
    if foreign := sorted(names - expected):
        raise InputError(
            f"{folder}/{foreign[0]}.tar is not in the manifest. Move it elsewhere; if it "
            f"belongs there, {reindex_command(folder)}"
        )


def reindex_command(folder: Path) -> str:
    """How to turn the shards that exist now into a collection."""
    return (
        f"delete {meta_folder(folder) / 'manifest.json'}, then type: "
        f"{COMMAND} data/source=shards source.path={folder}"
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder of shards; None if there is none."""
    path = meta_folder(folder) / "manifest.json"
    match metadata.parse(path.read_bytes()) if path.is_file() else None:
        case {"shards": {**shards}} as manifest if all(
            isinstance(entry, dict) for entry in shards.values()
        ):
            return manifest
        case None:
            return None
    raise InputError(f"{path} is damaged. Restore a copy of it, or {reindex_command(folder)}")


def plan_manifest(
    folder: Path, entries: int, per_shard: int, source: Any, state: Any
) -> dict[str, Any]:
    """The manifest of shards still to be made; an existing one must have the same entries."""
    starts = range(0, entries, whole_number("per_shard", per_shard, 1))
    manifest = {
        "entries": entries,
        "per_shard": per_shard,
        "source_sha256": index_cache.digest(source),
        "state_sha256": state and index_cache.digest(state),
        "shards": {
            f"{number:05d}": {"entries": min(per_shard, entries - start)}
            for number, start in enumerate(starts)
        },
    }
    previous = read_manifest(folder)
    if previous is None:
        if any(folder.glob("*.tar")):
            raise InputError(
                f"{folder} already holds shards of another origin. Choose another folder."
            )
        write_manifest(folder, manifest)
        return manifest
    names = ("entries", "per_shard", "source_sha256")
    keys = [name for name in names if previous.get(name) != manifest[name]]
    differences = [settings_diff(previous, manifest, keys)] if keys else []
    if previous.get("state_sha256") != manifest["state_sha256"]:
        differences.append("its files have changed since")
    if differences:
        raise InputError(
            f"{folder} was made from another source ({'; '.join(differences)}). Choose another "
            f"folder, or delete {folder} and {meta_folder(folder)}."
        )
    return previous


def refuse_unwritable(folder: Path) -> None:
    """Raise before the work, and not after it, if no manifest can be written."""
    meta = meta_folder(folder)
    if not os.access(meta if meta.exists() else meta.parent, os.W_OK):
        raise PermissionError(
            f"the index of {folder} belongs beside it, in {meta}, which is not writable. To keep "
            f"it elsewhere, {index_cache.link_command(meta)}"
        )


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a folder of shards."""
    write_json(meta_folder(folder) / "manifest.json", manifest, indent=1)


def _counts(paths: list[Path], entries: dict[str, Any]) -> list[int]:
    """How many samples each shard holds, which must be as many as its manifest says."""
    for path in paths:
        expected = entries.get(path.stem, {}).get("bytes")
        if expected is not None and (size := path.stat().st_size) != expected:
            raise _replaced(path, f"has {size} bytes where the manifest says {expected}")
    columns = index_summary.columns(paths, ("counts", "left_out"))
    counts, left_out = columns["counts"].tolist(), columns["left_out"].tolist()
    for path, count, others in zip(paths, counts, left_out, strict=True):
        expected = entries.get(path.stem, {}).get("samples")
        if expected is None:
            check_download(path, count, others)
        elif count != expected:
            raise _replaced(
                path, f"holds {quantity(count, 'sample')} where the manifest says {expected}"
            )
    return counts


def _replaced(path: Path, difference: str) -> InputError:
    return InputError(
        f"{path} {difference}: it was cut short or replaced. Delete it and make or copy it again; "
        f"if it is right, {reindex_command(path.parent)}"
    )


def check_download(path: Path, samples: int, left_out: int) -> None:
    """Refuse a shard that lacks samples which img2dataset's `_stats.json` says it has."""
    stats = path.with_name(f"{path.stem}_stats.json")
    if not stats.is_file():
        return
    expected = metadata.parse(stats.read_bytes()).get("successes")
    if type(expected) is not int:
        raise InputError(
            f"{stats} does not say how many samples there are in {path.name}. Restore what "
            "img2dataset wrote, or delete it."
        )
    if not samples <= expected <= samples + left_out:
        raise InputError(
            f"{path} holds {quantity(samples, 'sample')} where {expected} were written: it was cut "
            "short or replaced. Delete it, then make or copy it again."
        )
