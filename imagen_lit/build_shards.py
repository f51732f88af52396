"""Turn images with captions into a collection of WebDataset shards that training can open.

From a folder, a table, the shapes world or emoji, shards are written; shards that img2dataset made
are indexed where they are. How many samples a filter would leave is counted either way. With
`--dry-run` no shard is written; for shards that already exist, only their indexes are.
"""

from collections import Counter as Counts
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, progress_line
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.cli import command, config
from imagen_lit.data import build
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.selection import select
from imagen_lit.data.shard_files import statistics
from imagen_lit.data.shard_files.collection import Collection, read_manifest
from imagen_lit.data.source.emoji import Emoji
from imagen_lit.data.source.shapes import Shapes
from imagen_lit.data.source.shards import Shards


@command.main("build_shards")
def main(cfg: DictConfig) -> None:
    """Write what is missing, index everything, and print the counts."""
    arguments.whole_numbers(cfg, per_shard=1, workers=0)
    is_dry = arguments.switch("dry_run", cfg.dry_run)
    chosen: Filter = config.build(cfg.filter)
    source = config.build(cfg.source)
    if isinstance(source, Shards):
        if cfg.folder is not None:
            raise InputError(
                f"folder={cfg.folder} is set, but shards stay where they are, in {source.path}. "
                "Leave folder= out."
            )
        folders = [source.path]
    elif is_dry:
        for name, part in _parts(source).items():
            heading = [f"{name}:"] if name else []
            print("\n".join([*heading, _counts(*_preview(part, chosen))]))
        return
    else:
        folders = _write(cfg, source)
    for folder in folders:
        _survey(folder, chosen, cfg.workers)


def _parts(source: Any) -> Mapping[str, build.Source]:
    """The sources that become a folder each, by its name; most sources are one."""
    return source.parts() if isinstance(source, Emoji) else {"": source}


def _write(cfg: DictConfig, source: Any) -> list[Path]:
    """Write the missing shards; return the folders of them."""
    folder = _target(cfg.folder, source)
    identity = OmegaConf.to_container(cfg.source, resolve=True)
    folders = []
    for name, part in _parts(source).items():
        folders.append(folder / name)
        own = {"part": name, "source": identity} if name else identity
        shards = build.build(part, own, folders[-1], cfg.per_shard, cfg.workers)
        progress_line.count("shards written", shards)
    if isinstance(source, Emoji):
        source.credits(folder)
    return folders


def _survey(folder: Path, chosen: Filter, workers: int) -> None:
    """Index a folder of shards, and say what it holds, and what a filter would leave of it."""
    progress_line.count("shards indexed", build.survey(folder, workers))
    print(f"{folder}: {_summary(folder)}")
    if chosen.is_active:
        collection = Collection(folder)
        selection = select(collection, chosen, 0)
        print(_counts(sum(collection.counts), selection.reasons))
        print(f"to train on these, set data.shards={folder} and each filter.… as data.filter.…")


def _target(folder: Any, source: Any) -> Path:
    own = {Shapes: "datasets/demo", Emoji: "datasets/emoji"}.get(type(source))
    if folder is None and own is None:
        raise InputError("no folder for the shards is named. Set folder=datasets/<name>.")
    return chosen_folder.of("folder", own if folder is None else folder)


def _preview(source: Any, chosen: Filter) -> tuple[int, Counts[str]]:
    """What would be written, and how much of it the filter would leave, without writing it."""
    reasons: Counts[str] = Counts()
    columns = statistics.of_samples(build.samples(source, 0, len(source), reasons))
    left_out = sum(reasons.values())
    if chosen.is_active:
        chosen.require_fields(columns)
        reasons.update(chosen.keep(columns, HashSet())[1])
    return len(columns["width"]) + left_out, reasons


def _summary(folder: Path) -> str:
    manifest = read_manifest(folder)
    assert manifest is not None  # the survey has written it
    left_out: Counts[str] = Counts()
    for entry in manifest["shards"].values():
        left_out.update(entry["left_out"])
    unreadable = sum(entry["unreadable"] for entry in manifest["shards"].values())
    lines = [
        f"{quantity(manifest['samples'], 'sample')} in "
        f"{quantity(len(manifest['shards']), 'shard')}, "
        f"{manifest['bytes'] / 1e6:,.1f} MB"
    ]
    for reason, count in left_out.items():
        lines.append(f"  {quantity(count, 'entry', 'entries')} left out: {reason}")
    if unreadable:
        lines.append(
            f"  {quantity(unreadable, 'image')} cannot be read; training takes others instead"
        )
    return "\n".join(lines)


def _counts(samples: int, reasons: dict[str, int]) -> str:
    lines = [f"  {count:>12,}  {reason}" for reason, count in reasons.items() if count]
    left = samples - sum(reasons.values())
    return "\n".join([f"{samples:>14,}  in all", *lines, f"{left:>14,}  remain"])


if __name__ == "__main__":
    main()
