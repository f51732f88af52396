"""A collection: a folder of shards, complete or an error.

`Collection(folder)` lists the shards in the order of their names and opens any of them. If the
folder was made by `python -m imagen_lit.build_shards`, its manifest (`<folder>.meta/manifest.json`)
says which shards there must be, and with how many samples; a manifest is written before the first
shard (the plan) and again after the last (with sizes and hashes). Shards made by img2dataset are
read as they are, and its `_stats.json` tells their sample counts.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from imagen_lit.data.aside import aside
from imagen_lit.data.shard import Shard, index, meta

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
        self.counts: list[int] = []
        for path in self.paths:
            expected = manifest["shards"][path.stem]["samples"] if manifest else _downloaded(path)
            found = len(index(path).keys)
            if expected is not None and found != expected:
                raise ValueError(
                    f"{path} holds {found} samples where {expected} were written: it was cut short "
                    "or replaced. Delete it, then make or copy it again."
                )
            self.counts.append(found)

    def __len__(self) -> int:
        return len(self.paths)

    def open(self, shard: int) -> Shard:
        return Shard(self.paths[shard])

    def _compare_names(self, expected: set[str]) -> None:
        found = {path.stem for path in self.paths}
        if missing := sorted(expected - found):
            raise FileNotFoundError(
                f"{self.folder} has {len(found & expected)} of its {len(expected)} shards "
                f"({missing[0]}.tar is missing). Repeat the command that made it: {COMMAND} …"
            )
        if foreign := sorted(found - expected):
            raise ValueError(
                f"{self.folder}/{foreign[0]}.tar is not in the manifest. Move it elsewhere."
            )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    path = meta(folder) / "manifest.json"
    return json.loads(path.read_text()) if path.is_file() else None


def plan(folder: Path, samples: int, per_shard: int, source_sha256: str) -> dict[str, Any]:
    """The manifest of shards still to be made; one made before must be of the same samples."""
    starts = range(0, samples, per_shard)
    manifest = {
        "samples": samples,
        "per_shard": per_shard,
        "source_sha256": source_sha256,
        "shards": {
            f"{number:05d}": {"samples": min(per_shard, samples - start)}
            for number, start in enumerate(starts)
        },
    }
    before = read_manifest(folder)
    if before is None and any(folder.glob("*.tar")):
        raise ValueError(f"{folder} already holds shards of another origin. Choose another folder.")
    if before is not None:
        named = ("samples", "per_shard", "source_sha256")
        if different := [name for name in named if before[name] != manifest[name]]:
            listed = ", ".join(
                f"{name} was {before[name]}, is {manifest[name]}" for name in different
            )
            raise ValueError(
                f"{folder} was made from another source ({listed}). Choose another folder, or "
                f"delete {folder} and {meta(folder)}."
            )
        return before
    write_manifest(folder, manifest)
    return manifest


def complete(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the size and hash of every shard into the manifest, once all of them are there."""
    for name, entry in manifest["shards"].items():
        with open(folder / f"{name}.tar", "rb") as file:
            entry["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            entry["bytes"] = file.tell()
    write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with aside(meta(folder) / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1).encode())


def _downloaded(path: Path) -> int | None:
    """How many samples img2dataset says it put into a shard."""
    stats = path.with_name(f"{path.stem}_stats.json")
    return int(json.loads(stats.read_text())["successes"]) if stats.is_file() else None
