"""A source of pictures with captions becomes WebDataset shards.

Shards are written in parallel, each aside and then renamed; those already there are kept. The
manifest says beforehand which shards there must be, so a folder that was left half-made is known
as such.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig, OmegaConf

from imagen_lit import door
from imagen_lit.data import collection, shard


class Source(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> dict[str, Any]: ...


def build(
    source: Source, identity: Any, folder: Path, per_shard: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Write what is missing; yield (shards finished, shards in all), the first time before any.

    `identity` says what the source is: a folder made from another one is refused.
    """
    said = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    manifest = collection.plan(folder, len(source), per_shard, said)
    names = list(manifest["shards"])
    owed = [i for i, name in enumerate(names) if not (folder / f"{name}.tar").exists()]
    done = len(names) - len(owed)
    yield done, len(names)
    jobs = [
        (
            source,
            folder / f"{names[i]}.tar",
            range(i * per_shard, min((i + 1) * per_shard, len(source))),
        )
        for i in owed
    ]
    for _ in _each(jobs, workers):
        done += 1
        yield done, len(names)
    if owed or not all("sha256" in entry for entry in manifest["shards"].values()):
        collection.complete(folder, manifest)


def _each(jobs: Sequence[tuple[Source, Path, range]], workers: int) -> Iterator[None]:
    if workers < 2 or len(jobs) < 2:
        yield from map(_write, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_write, jobs)


def _write(job: tuple[Source, Path, range]) -> None:
    source, path, rows = job
    shard.write(path, (source[i] for i in rows))


@door.main("build_shards")
def main(cfg: DictConfig) -> None:
    folder = Path(cfg.folder)
    identity = OmegaConf.to_container(cfg.source, resolve=True)
    for done, count in build(door.build(cfg.source), identity, folder, cfg.per_shard, cfg.workers):
        print(f"\r{folder}: {done}/{count} shards", end="", flush=True)
    print(f"\n{len(collection.Collection(folder))} shards are in {folder}")


if __name__ == "__main__":
    main()
