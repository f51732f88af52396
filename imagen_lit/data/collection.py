"""A collection: a folder of shards, complete or an error.

`Collection(folder)` lists the shards in the order of their names and opens any of them. If the
folder was made or surveyed by `python -m imagen_lit.build_shards`, its manifest
(`<folder>.meta/manifest.json`) says which shards there must be, and how large; it is written before
the first shard (the plan) and again after the last. Shards made by img2dataset need no manifest:
their `_stats.json` tell their sample counts. No tar is opened, nor an index after the first time
(`data.summary`).
"""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from imagen_lit.data import found, number, summary
from imagen_lit.data.aside import aside
from imagen_lit.data.known import said
from imagen_lit.data.shard import Shard, meta

COMMAND = "python -m imagen_lit.build_shards"


class Collection:
    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.paths = sorted(self.folder.glob("*.tar"))
        manifest = read_manifest(self.folder)
        if manifest is not None:
            compare_names(self.folder, self.paths, manifest)
        if not self.paths:
            raise FileNotFoundError(
                f"There are no shards in {self.folder}. To make the demo's, type: {COMMAND}"
            )
        self.counts = _counted(self.paths, manifest["shards"] if manifest else {})

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def stamp(self) -> str:
        """What changes whenever any of the shards does."""
        return summary.stamp(self.paths)

    def open(self, shard: int) -> Shard:
        return Shard(self.paths[shard])


def compare_names(folder: Path, paths: Sequence[Path], manifest: dict[str, Any]) -> None:
    """Refuse shards that came or went since the manifest was written."""
    expected, found = set(manifest["shards"]), {path.stem for path in paths}
    if missing := sorted(expected - found):
        raise FileNotFoundError(
            f"{folder} has {len(found & expected)} of its {len(expected)} shards "
            f"({missing[0]}.tar is missing). Repeat the command that made it, {COMMAND} …, or "
            f"bring the shard back; if it is to be gone, {anew(folder)}"
        )
    if foreign := sorted(found - expected):
        raise ValueError(
            f"{folder}/{foreign[0]}.tar is not in the manifest. Move it elsewhere; if it "
            f"belongs there, {anew(folder)}"
        )


def anew(folder: Path) -> str:
    """How the shards that there are become a collection."""
    return (
        f"delete {meta(folder) / 'manifest.json'}, then type: "
        f"{COMMAND} data/source=shards source.path={folder}"
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    path = meta(folder) / "manifest.json"
    match said(path.read_bytes()) if path.is_file() else None:
        case {"shards": {**shards}} as manifest if all(
            isinstance(e, dict) for e in shards.values()
        ):
            return manifest
        case None:
            return None
    raise ValueError(f"{path} is damaged. Bring back a copy of it, or {anew(folder)}")


def plan(folder: Path, entries: int, per_shard: int, source: Any, state: Any) -> dict[str, Any]:
    """The manifest of shards still to be made; one made before must be of the same entries."""
    starts = range(0, entries, number.whole("per_shard", per_shard, 1))
    manifest = {
        "entries": entries,
        "per_shard": per_shard,
        "source_sha256": _sha256(source),
        "state_sha256": state and _sha256(state),
        "shards": {
            f"{place:05d}": {"entries": min(per_shard, entries - start)}
            for place, start in enumerate(starts)
        },
    }
    before = read_manifest(folder)
    if before is None and any(folder.glob("*.tar")):
        raise ValueError(f"{folder} already holds shards of another origin. Choose another folder.")
    if before is not None:
        different = [
            f"{name} was {before.get(name)}, is {manifest[name]}"
            for name in ("entries", "per_shard", "source_sha256")
            if before.get(name) != manifest[name]
        ]
        if before.get("state_sha256") != manifest["state_sha256"]:
            different.append("its files have changed since")
        if different:
            raise ValueError(
                f"{folder} was made from another source ({', '.join(different)}). Choose another "
                f"folder, or delete {folder} and {meta(folder)}."
            )
        return before
    write_manifest(folder, manifest)
    return manifest


def _sha256(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def refuse_unwritable(folder: Path) -> None:
    """In words, and where it can be known, before the work that ends in a manifest."""
    beside = meta(folder)
    if not os.access(beside if beside.exists() else beside.parent, os.W_OK):
        raise PermissionError(
            f"what is found out about {folder} lies beside it, in {beside}, and nothing may be "
            f"written there: {found.link(beside)}"
        )


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with aside(meta(folder) / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1).encode())


def _counted(paths: list[Path], entries: dict[str, Any]) -> list[int]:
    """How many samples each shard holds, which must be as many as its manifest says."""
    for path in paths:
        told = entries.get(path.stem, {}).get("bytes")
        if told is not None and (size := path.stat().st_size) != told:
            raise _replaced(path, f"has {size} bytes where the manifest says {told}")
    columns = summary.columns(paths, ("counts", "left_out"))
    counts, left_out = (columns[name].tolist() for name in ("counts", "left_out"))
    for path, count, out in zip(paths, counts, left_out, strict=True):
        told = entries.get(path.stem, {}).get("samples")
        if told is None:
            compare_download(path, count, out)
        elif count != told:
            raise _replaced(path, f"holds {count} samples where the manifest says {told}")
    return counts


def _replaced(path: Path, what: str) -> ValueError:
    return ValueError(
        f"{path} {what}: it was cut short or replaced. Delete it and make or copy it again; if it "
        f"is right, {anew(path.parent)}"
    )


def compare_download(path: Path, samples: int, left_out: int) -> None:
    """Refuse a shard that lacks samples which img2dataset's `_stats.json` says it has."""
    stats = path.with_name(f"{path.stem}_stats.json")
    if not stats.is_file():
        return
    told = said(stats.read_bytes()).get("successes")
    if type(told) is not int:
        raise ValueError(
            f"{stats} does not say how many samples there are in {path.name}: bring back what "
            "img2dataset wrote, or delete it"
        )
    if not samples <= told <= samples + left_out:
        raise ValueError(
            f"{path} holds {samples} samples where {told} were written: it was cut short or "
            "replaced. Delete it, then make or copy it again."
        )
