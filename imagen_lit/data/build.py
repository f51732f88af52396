"""A source becomes WebDataset shards; shards become a surveyed collection.

`build` writes the shards of a source in parallel, each aside and then renamed; those already there
are kept. Entries that cannot be samples are left out and counted by reason. `survey` indexes
whatever tars a folder holds, ours or img2dataset's, without changing them, finds what is known of
every sample, and writes the manifest.
"""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from imagen_lit.data import collection, facts, pool, shard, summary
from imagen_lit.data.aside import aside
from imagen_lit.data.transform import Unusable


class Source(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> dict[str, Any]: ...

    def state(self) -> Any:
        """What changes whenever an entry does; None where none ever can."""


def build(
    source: Source, identity: Any, folder: Path, per_shard: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Write what is missing; yield (shards finished, shards in all), the first time before any.

    `identity` says what the source is: a folder made from another one, or from this one before it
    changed, is refused.
    """
    manifest = collection.plan(folder, len(source), per_shard, identity, source.state())
    names = list(manifest["shards"])
    owed = [i for i, name in enumerate(names) if not (folder / f"{name}.tar").exists()]
    done = len(names) - len(owed)
    yield done, len(names)
    jobs = [
        (folder / f"{names[i]}.tar", i * per_shard, min((i + 1) * per_shard, len(source)))
        for i in owed
    ]
    for _ in pool.each(partial(_write, source), jobs, workers):
        done += 1
        yield done, len(names)


def survey(folder: Path, workers: int) -> Iterator[tuple[int, int]]:
    """Index every shard and find its facts; yield (shards finished, shards in all). Then write the
    manifest: counts, sizes, hashes, and each shard's statistics."""
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise FileNotFoundError(f"There are no shards (*.tar) in {folder}.")
    manifest = collection.read_manifest(folder)
    if "samples" not in (manifest or {}):  # as it never was surveyed, there will be one to write
        collection.refuse_unwritable(folder)
    if manifest is not None:
        collection.compare_names(folder, paths, manifest)
    planned = manifest["shards"] if manifest else {}
    entries = {}
    for done, (path, entry) in enumerate(
        zip(paths, pool.each(_survey, paths, workers), strict=True), 1
    ):
        entries[path.stem] = planned.get(path.stem, {}) | entry
        _compare_entries(path, entries[path.stem])
        yield done, len(paths)
    samples = sum(entry["samples"] for entry in entries.values())
    if not samples:
        reasons = sum((Counter(entry["left_out"]) for entry in entries.values()), Counter())
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        raise ValueError(f"{folder} holds no samples. Left out were: {listed or 'none'}.")
    found = (manifest or {}) | {
        "samples": samples,
        "bytes": sum(entry["bytes"] for entry in entries.values()),
        "shards": entries,
    }
    if found != manifest:
        collection.refuse_unwritable(folder)
        collection.write_manifest(folder, found)
    summary.columns(paths, ())  # now, and not by every process of the first run


def _write(source: Source, job: tuple[Path, int, int]) -> None:
    path, start, end = job

    def told() -> Iterator[dict[str, Any]]:
        """What was left out is told before the shard has its name, so that no kill loses it."""
        left_out: Counter[str] = Counter()
        yield from samples(source, start, end, left_out)
        with aside(_left_out(path)) as file:
            file.write(json.dumps(left_out).encode())

    shard.write(path, told())


def _left_out(path: Path) -> Path:
    return shard.meta(path.parent) / f"{path.stem}.left_out.json"


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


def _compare_entries(path: Path, entry: dict[str, Any]) -> None:
    """What a source had is in its shard, or was left out for a reason that was written down."""
    samples, left_out = entry["samples"], sum(entry["left_out"].values())
    if entry.get("entries", samples + left_out) != samples + left_out:
        raise ValueError(
            f"{path} holds {samples} samples of {entry['entries']}, and of {left_out} is known why "
            "they were left out: delete it, then repeat the command that made it"
        )


def _survey(path: Path) -> dict[str, Any]:
    index, known = shard.index(path), facts.of(path)
    before = _left_out(path)
    left_out = Counter(json.loads(before.read_text()) if before.is_file() else {})
    left_out.update(json.loads(index.left_out))
    collection.compare_download(path, len(index.keys), left_out.total())
    sides = np.minimum(known["width"], known["height"])
    return {
        "samples": len(index.keys),
        "bytes": path.stat().st_size,
        "keys_sha256": index.keys_sha256,
        "captions_sha256": index.captions_sha256,
        "left_out": left_out,
        "unreadable": int((sides < 1).sum()),
        "median_side": int(np.median(sides)) if len(sides) else 0,
        "median_caption": int(np.median(known["caption_length"])) if len(sides) else 0,
    }
