"""Pictures with captions become a collection of WebDataset shards that training can open.

From a folder, a table or the demo world, shards are written; shards that img2dataset made are
indexed where they lie. What a filter would leave is counted either way, and with `--dry-run`
no shard is written: of shards that exist already, only their indexes are.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit import door
from imagen_lit.data import build, facts
from imagen_lit.data.collection import Collection, read_manifest
from imagen_lit.data.demo import Demo
from imagen_lit.data.filter import Filter
from imagen_lit.data.seen import Seen
from imagen_lit.data.selection import select
from imagen_lit.data.shards import Shards


@door.main("build_shards")
def main(cfg: DictConfig) -> None:
    chosen: Filter = door.build(cfg.filter)
    source = door.build(cfg.source)
    if isinstance(source, Shards):
        if cfg.folder is not None:
            raise ValueError(f"shards stay where they are, in {source.path}: leave folder= out")
        folder = source.path
    elif cfg.dry_run:
        print(_told(*_previewed(source, chosen)))
        return
    else:
        folder = _target(cfg.folder, source)
        identity = OmegaConf.to_container(cfg.source, resolve=True)
        written = build.build(source, identity, folder, cfg.per_shard, cfg.workers)
        _show(written, folder, "written")
    _show(build.survey(folder, cfg.workers), folder, "indexed")
    print(_summary(folder))
    if chosen.asks:
        shards = Collection(folder)
        selection = select(shards, chosen, 0)
        print(_told(sum(shards.counts), selection.reasons))
        print(f"to train on these, type data.shards={folder} and each filter.… as data.filter.…")


def _target(folder: str | None, source: Any) -> Path:
    if folder is None and not isinstance(source, Demo):
        raise ValueError("found no place for the shards: type folder=datasets/<name>")
    return Path(folder or "datasets/demo")


def _show(progress: Iterable[tuple[int, int]], folder: Path, what: str) -> None:
    """One line that counts, and ends even where an error follows."""
    begun = False
    try:
        for done, count in progress:
            begun = True
            print(f"\r{folder}: {done}/{count} shards {what}", end="", flush=True)
    finally:
        if begun:
            print(flush=True)


def _previewed(source: Any, chosen: Filter) -> tuple[int, Counter[str]]:
    """What would be written, and what the filter would leave of it, without writing anything."""
    reasons: Counter[str] = Counter()
    found = facts.of_samples(build.samples(source, 0, len(source), reasons))
    left_out = sum(reasons.values())
    if chosen.asks:
        reasons.update(chosen.keep(found, Seen())[1])
    return len(found["width"]) + left_out, reasons


def _summary(folder: Path) -> str:
    manifest = read_manifest(folder)
    assert manifest is not None  # the survey has written it
    left_out: Counter[str] = Counter()
    for entry in manifest["shards"].values():
        left_out.update(entry["left_out"])
    unreadable = sum(entry["unreadable"] for entry in manifest["shards"].values())
    lines = [
        f"{manifest['samples']:,} samples in {len(manifest['shards']):,} shards, "
        f"{manifest['bytes'] / 1e6:,.1f} MB"
    ]
    lines += [f"  {count:,} entries left out: {reason}" for reason, count in left_out.items()]
    if unreadable:
        lines.append(f"  {unreadable:,} pictures cannot be read; training replaces them")
    return "\n".join(lines)


def _told(samples: int, reasons: dict[str, int]) -> str:
    lines = [f"  {count:>12,}  {reason}" for reason, count in reasons.items() if count]
    left = samples - sum(reasons.values())
    return "\n".join([f"{samples:>14,}  in all", *lines, f"{left:>14,}  remain"])


if __name__ == "__main__":
    sys.argv = ["dry_run=true" if word == "--dry-run" else word for word in sys.argv]
    main()
