"""What an encoder says about every caption of a folder of shards: one sidecar a shard.

Several processes share the work (task i of n); to run it again is the recovery.
"""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit import door
from imagen_lit.data import sidecar
from imagen_lit.data.collection import Collection
from imagen_lit.text import cache


def embed(
    encoder: cache.Encoder, shards: Path, stored: str, budget: int, task: int, tasks: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (sidecars finished, written just now, in all) as each is finished."""
    collection = Collection(shards)
    folder, written = sidecar.folder(shards, encoder.name), 0
    count = len(range(task, len(collection), tasks))
    filled = cache.fill(encoder, collection, folder, stored, budget, task, tasks)
    for done, (_, new) in enumerate(filled, 1):
        written += new
        yield done, written, count


@door.main("embed_text")
def main(cfg: DictConfig) -> None:
    encoder, shards = door.build(cfg.text), Path(cfg.shards)
    new = 0
    for done, written, count in embed(encoder, shards, cfg.stored, cfg.budget, cfg.task, cfg.tasks):
        new = written
        print(f"\r{shards}: {done}/{count} sidecars", end="", flush=True)
    print(f"\n{new} new sidecars are in {sidecar.folder(shards, encoder.name)}")


if __name__ == "__main__":
    main()
