"""A source becomes WebDataset shards; shards become an indexed collection.

`build` writes the shards of a source in parallel, each atomically; existing ones are kept. Entries
that cannot be samples are left out and counted by reason. `survey` indexes all tars of a folder,
ours or img2dataset's, without changing them, computes the statistics of every sample, and writes
the manifest.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from imagen_lit.basics import json_file, process_pool
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.data.shard_files import collection, index_summary, shard, shard_index, statistics
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.data.transform import Unusable


class Source(Protocol):
    """Numbered entries, each a sample or `Unusable`."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> dict[str, Any]: ...

    def state(self) -> Any:
        """A value that changes whenever an entry does; None if entries can never change."""


def build(
    source: Source, identity: Any, folder: Path, per_shard: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Write the missing shards; yield (shards done, shards in all), first before any is written.

    `identity` identifies the source: a folder made from another source, or from this one before it
    changed, is refused.
    """
    manifest = collection.plan_manifest(folder, len(source), per_shard, identity, source.state())
    names = list(manifest["shards"])
    jobs = [
        (path, number * per_shard, min((number + 1) * per_shard, len(source)))
        for number, name in enumerate(names)
        if not (path := folder / f"{name}.tar").exists()
    ]
    done = len(names) - len(jobs)
    yield done, len(names)
    for _ in process_pool.map_jobs(partial(_write, source), jobs, workers):
        done += 1
        yield done, len(names)


def seconds_left(
    source: Source, folder: Path, per_shard: int, workers: int, entries: int = 64
) -> float:
    """How long making the entries of the missing shards will take here, from a few of them now."""
    starts = range(0, len(source), per_shard)
    missing = [start for n, start in enumerate(starts) if not (folder / f"{n:05d}.tar").exists()]
    if not missing:
        return 0.0
    first, moment = missing[0], time.monotonic()
    few = min(entries, len(source) - first)
    for _ in samples(source, first, first + few, Counter()):
        pass
    left = sum(min(per_shard, len(source) - start) for start in missing)
    return left * (time.monotonic() - moment) / few / max(1, workers)


def survey(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Index every shard and compute its statistics; yield (shards done, shards in all). Then write
    the manifest: counts, sizes, hashes, and a summary of each shard's statistics."""
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise FileNotFoundError(
            f"there are no shards (*.tar) in {folder}. Set source.path=... to a folder of them."
        )
    previous = collection.read_manifest(folder)
    if "samples" not in (previous or {}):  # never surveyed, so a manifest will be written
        collection.refuse_unwritable(folder)
    if previous is not None:
        collection.check_names(folder, paths, previous)
    planned = previous["shards"] if previous else {}
    entries = {}
    surveys = process_pool.map_jobs(_survey, paths, workers)
    for done, (path, entry) in enumerate(zip(paths, surveys, strict=True), 1):
        entries[path.stem] = planned.get(path.stem, {}) | entry
        _check_entries(path, entries[path.stem])
        yield done, len(paths)
    samples = sum(entry["samples"] for entry in entries.values())
    if not samples:
        reasons = sum((Counter(entry["left_out"]) for entry in entries.values()), Counter())
        listing = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        if planned and "samples" not in (previous or {}):  # ours, of this source
            _remove(folder, paths)
        raise InputError(
            f"{folder} holds no samples. Left out were: {listing or 'none'}. "
            "Check that these are images with captions (docs/data.md)."
        )
    manifest = (previous or {}) | {
        "samples": samples,
        "bytes": sum(entry["bytes"] for entry in entries.values()),
        "shards": entries,
    }
    if manifest != previous:
        collection.refuse_unwritable(folder)
        collection.write_manifest(folder, manifest)
    index_summary.columns(paths, ())  # here once, not in every process of the first run


def _remove(folder: Path, paths: list[Path]) -> None:
    """Remove shards that hold nothing, and what is known of them: the corrected source is another
    one, which would be refused here."""
    meta = meta_folder(folder)
    for file in (*paths, *(each for each in meta.rglob("*") if each.is_file())):
        file.unlink()
    for place in (*sorted(meta.rglob("*"), reverse=True), meta, folder):
        if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
            place.rmdir()


def _write(source: Source, job: tuple[Path, int, int]) -> None:
    path, start, end = job

    def counted_samples() -> Iterator[dict[str, Any]]:
        """The counts are written before the shard gets its name, so that no kill loses them."""
        left_out: Counter[str] = Counter()
        yield from samples(source, start, end, left_out)
        write_json(_left_out(path), left_out, indent=None)

    shard.write(path, counted_samples())


def _left_out(path: Path) -> Path:
    return meta_folder(path.parent) / f"{path.stem}.left_out.json"


def samples(
    source: Source, start: int, end: int, left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    """The entries that can be samples; the others are counted by reason."""
    for number in range(start, end):
        try:
            sample = source[number]
        except Unusable as error:
            left_out[str(error)] += 1
        else:
            yield sample


def _check_entries(path: Path, entry: dict[str, Any]) -> None:
    """Check that every entry of a source is in its shard, or was left out for a recorded reason."""
    samples, left_out = entry["samples"], sum(entry["left_out"].values())
    if entry.get("entries", samples + left_out) != samples + left_out:
        raise InputError(
            f"{path} holds {samples} samples of {entry['entries']} entries, but {left_out} are "
            "recorded as left out. Delete it, then repeat the command that made it."
        )


def _read_left_out(file: Path) -> dict[str, int]:
    advice = "Delete it and the shard of that number, then repeat the command that made them."
    counts = json_file.read(file, advice)
    if not all(type(count) is int and count >= 0 for count in counts.values()):
        raise InputError(f"{file} is damaged: it holds no counts by reason. {advice}")
    return counts


def _survey(path: Path) -> dict[str, Any]:
    index, columns = shard_index.index(path), statistics.of_shard(path)
    file = _left_out(path)
    left_out = Counter(_read_left_out(file) if file.exists() else {})
    left_out.update(json.loads(index.left_out))
    collection.check_download(path, len(index.keys), left_out.total())
    sides = np.minimum(columns["width"], columns["height"])
    return {
        "samples": len(index.keys),
        "bytes": path.stat().st_size,
        "keys_sha256": index.keys_sha256,
        "captions_sha256": index.captions_sha256,
        "left_out": left_out,
        "unreadable": int((sides < 1).sum()),
        "median_side": int(np.median(sides)) if len(sides) else 0,
        "median_caption": int(np.median(columns["caption_length"])) if len(sides) else 0,
    }
