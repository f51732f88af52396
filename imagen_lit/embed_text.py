"""What an encoder says about every caption of a folder of shards: one sidecar a shard.

Several processes share the work: task i of n, from the arguments or from SLURM's array. To run it
again is the recovery. With plan=true nothing is written: it says what disk and time it would take.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from omegaconf import DictConfig

from imagen_lit import door, machine
from imagen_lit.data import sidecar
from imagen_lit.data.collection import Collection
from imagen_lit.text import cache
from imagen_lit.text.plan import probe


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


def share(task: int | None, tasks: int | None) -> tuple[int, int]:
    """(task, tasks): as told; else this member of SLURM's array; else all of it."""
    if (task is None) != (tasks is None):
        raise ValueError(f"found task={task} and tasks={tasks}: give both, or neither")
    if task is not None:
        return task, tasks
    if "SLURM_ARRAY_TASK_ID" not in os.environ:
        return 0, 1
    said = {name: int(os.environ[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "MIN", "COUNT")}
    step = int(os.environ.get("SLURM_ARRAY_TASK_STEP", 1))
    return (said["ID"] - said["MIN"]) // step, said["COUNT"]


def _plan(cfg: DictConfig) -> None:
    encoder, shards = door.build(cfg.text), Collection(cfg.shards)
    if cfg.gpu not in cfg.gpus:
        raise ValueError(f"found gpu={cfg.gpu}: expected one of {', '.join(cfg.gpus)}")
    captions: list[str] = []
    for number in range(len(shards)):
        opened = shards.open(number)
        captions += [opened.caption(row) for row in range(len(opened))][: cfg.tried - len(captions)]
        if len(captions) >= cfg.tried:
            break
    peak = machine.matrix_peak(getattr(torch, encoder.dtype), encoder.device)
    plan = probe(encoder, captions, sum(shards.counts), cfg.stored, peak, cfg.seconds)
    print("\n".join(plan.lines(encoder.name, cfg.gpu, cfg.gpus[cfg.gpu] * 1e12, cfg.train_gflops)))


@door.main("embed_text")
def main(cfg: DictConfig) -> None:
    if cfg.plan:
        _plan(cfg)
        return
    encoder, shards = door.build(cfg.text), Path(cfg.shards)
    task, tasks = share(cfg.task, cfg.tasks)
    new = 0
    for done, written, count in embed(encoder, shards, cfg.stored, cfg.budget, task, tasks):
        new = written
        print(f"\r{shards}: {done}/{count} sidecars", end="", flush=True)
    folder = sidecar.folder(shards, encoder.name)
    print(f"\n{new} new sidecars are in {folder}")
    if cfg.stored == "int8":
        print(f"measured error: {_worst(folder)}")


def _worst(folder: Path) -> str:
    """The worst of all files, each quantity by itself."""
    found: dict[str, list[float]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, value in sidecar.Sidecar(file).fields.items():
            if name.startswith("error."):
                found.setdefault(name.removeprefix("error."), []).append(float(value))
    return ", ".join(
        f"{name} {min(values) if name == 'cosine' else max(values):.6g}"
        for name, values in sorted(found.items())
    )


if __name__ == "__main__":
    main()
