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
from functools import cached_property
from pathlib import Path
from typing import Any

from imagen_lit.data import summary
from imagen_lit.data.aside import aside
from imagen_lit.data.shard import Shard, meta

COMMAND = "python -m imagen_lit.build_shards"


class Collection:
    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.paths = sorted(self.folder.glob("*.tar"))
        manifest = read_manifest(self.folder)
        if manifest is not None:
            self._compare_names(set(manifest["shards"]))
        if not self.paths:
            raise FileNotFoundError(
                f"There are no shards in {self.folder}. To make the demo's, type: {COMMAND}"
            )
        entries = manifest["shards"] if manifest else {}
        if manifest and all("bytes" in entries[path.stem] for path in self.paths):
            self.counts = [_surveyed(path, entries[path.stem]) for path in self.paths]
        else:
            self.counts = _counted(self.paths, entries)

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def stamp(self) -> str:
        """What changes whenever any of the shards does."""
        return summary.stamp(self.paths)

    def open(self, shard: int) -> Shard:
        return Shard(self.paths[shard])

    def _compare_names(self, expected: set[str]) -> None:
        found = {path.stem for path in self.paths}
        if missing := sorted(expected - found):
            raise FileNotFoundError(
                f"{self.folder} has {len(found & expected)} of its {len(expected)} shards "
                f"({missing[0]}.tar is missing). Repeat the command that made it, {COMMAND} …, or "
                f"bring the shard back; if it is to be gone, {anew(self.folder)}"
            )
        if foreign := sorted(found - expected):
            raise ValueError(
                f"{self.folder}/{foreign[0]}.tar is not in the manifest. Move it elsewhere; if it "
                f"belongs there, {anew(self.folder)}"
            )


def anew(folder: Path) -> str:
    """How the shards that there are become a collection."""
    return (
        f"delete {meta(folder) / 'manifest.json'}, then type: "
        f"{COMMAND} data/source=shards source.path={folder}"
    )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    path = meta(folder) / "manifest.json"
    return json.loads(path.read_text()) if path.is_file() else None


def plan(folder: Path, entries: int, per_shard: int, source: Any, state: Any) -> dict[str, Any]:
    """The manifest of shards still to be made; one made before must be of the same entries."""
    starts = range(0, entries, per_shard)
    manifest = {
        "entries": entries,
        "per_shard": per_shard,
        "source_sha256": _sha256(source),
        "state_sha256": state and _sha256(state),
        "shards": {
            f"{number:05d}": {"entries": min(per_shard, entries - start)}
            for number, start in enumerate(starts)
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


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with aside(meta(folder) / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1).encode())


def _surveyed(path: Path, entry: dict[str, Any]) -> int:
    if (size := path.stat().st_size) != entry["bytes"]:
        raise ValueError(
            f"{path} has {size} bytes where the manifest says {entry['bytes']}: it was cut short "
            f"or replaced. Delete it and make or copy it again; if it is right, {anew(path.parent)}"
        )
    return entry["samples"]


def _counted(paths: list[Path], entries: dict[str, Any]) -> list[int]:
    counts, left_out = (summary.column(paths, name).tolist() for name in ("counts", "left_out"))
    for path, found, out in zip(paths, counts, left_out, strict=True):
        told = entries.get(path.stem, {}).get("samples")
        expected = _downloaded(path) if told is None else told
        if expected is not None and not found <= expected <= found + out:
            raise ValueError(
                f"{path} holds {found} samples where {expected} were written: it was cut short "
                "or replaced. Delete it, then make or copy it again."
            )
    return counts


def _downloaded(path: Path) -> int | None:
    """How many samples img2dataset says it put into a shard."""
    stats = path.with_name(f"{path.stem}_stats.json")
    return int(json.loads(stats.read_text())["successes"]) if stats.is_file() else None
