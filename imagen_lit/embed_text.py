"""What an encoder says about every caption of a folder of shards: one sidecar a shard.

Several processes share the work: task i of n, from the arguments or from SLURM's array and from the
tasks that one srun starts. To run it again is the recovery. With plan=true nothing is encoded for
good: it says what disk and time that would take.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from imagen_lit import door, machine
from imagen_lit.data import number, sidecar
from imagen_lit.data.collection import Collection
from imagen_lit.data.shard import meta
from imagen_lit.text import cache, plan

ARRAY = "SLURM_ARRAY_TASK_"
SAME, LOST = 0.999, 0.015  # the cosine of every token, the error of ordinary channels, in int8


def embed(
    encoder: cache.Encoder,
    shards: Path,
    folder: Path,
    stored: str,
    budget: int,
    task: int = 0,
    tasks: int = 1,
) -> Iterator[tuple[int, int, int]]:
    """Yield (sidecars finished, written just now, in all) as each is finished."""
    collection, written = Collection(shards), 0
    count = len(range(task, len(collection), tasks))
    filled = cache.fill(encoder, collection, folder, stored, budget, task, tasks)
    for done, (_, new) in enumerate(filled, 1):
        written += new
        yield done, written, count


def environment() -> dict[str, str]:
    """What SLURM says of this process's share. A sweep is sent as an array too, whose members are
    no shares of one work: each encodes all, for an encoder of its own."""
    swept = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    return {n: said for n, said in os.environ.items() if not (swept and n.startswith(ARRAY))}


def share(task: int | None, tasks: int | None, env: Mapping[str, str]) -> tuple[int, int]:
    """(task, tasks): as told; else this task of this member of SLURM's array; else all of it."""
    if (task is None) != (tasks is None):
        raise ValueError(f"found task={task} and tasks={tasks}: give both, or neither")
    if isinstance(task, int) and isinstance(tasks, int):
        return task, tasks
    if task is not None:
        raise ValueError(f"found task={task} and tasks={tasks}: expected whole numbers")
    member, members = _of_array(env)
    each = int(env.get("SLURM_STEP_NUM_TASKS", 1))  # unset where no srun started this process
    return member * each + int(env.get("SLURM_PROCID", 0)) * (each > 1), members * each


def _of_array(env: Mapping[str, str]) -> tuple[int, int]:
    if f"{ARRAY}ID" not in env:
        return 0, 1
    names = [f"{ARRAY}{name}" for name in ("ID", "MIN", "MAX", "STEP", "COUNT")]
    said = [env.get(name, "unset") for name in names]
    if all(word.isdecimal() for word in said):
        here, least, most, step, count = map(int, said)
        # SLURM tells no more, so the ids are known only where they are evenly spaced.
        if step and least + (count - 1) * step == most and (here - least) % step == 0:
            return (here - least) // step, count
    listed = ", ".join(f"{name}={value}" for name, value in zip(names, said, strict=True))
    raise ValueError(
        f"which share of the work is this task's cannot be known from {listed}: ask for an array "
        "of evenly spaced numbers, such as --array=0-15, or give task=<from 0> tasks=<how many>"
    )


def _plan(cfg: DictConfig) -> None:
    if cfg.gpu not in cfg.gpus:
        raise ValueError(f"found gpu={cfg.gpu}: expected one of {', '.join(cfg.gpus)}")
    number.whole("tried", cfg.tried, 1)
    number.above_zero("seconds", cfg.seconds)
    number.above_zero("train_gflops", cfg.train_gflops)
    encoder, kept = door.build(cfg.text), meta(Path(cfg.shards))
    before = set(kept.glob("*"))
    shards = Collection(cfg.shards)
    captions, count = _some(shards, cfg.tried), sum(shards.counts)
    if lacks := encoder.lacks():
        print("\n".join(plan.without_weights(encoder, captions, count, cfg.stored)))
        print(f"hours    need the weights; {lacks}")
    else:
        peak = machine.matrix_peak(getattr(torch, encoder.dtype), encoder.device)
        found = plan.probe(encoder, captions, count, cfg.stored, peak, cfg.seconds)
        gpu = cfg.gpus[cfg.gpu] * 1e12
        print("\n".join(found.lines(encoder.name, cfg.gpu, gpu, cfg.train_gflops)))
    if new := len({*kept.glob("*")} - before):
        print(f"written  {new} files in {kept}: the shards were new here, and are now indexed")


def _some(shards: Collection, wanted: int) -> list[str]:
    captions: list[str] = []
    for place in range(len(shards)):
        opened = shards.open(place)
        captions += [opened.caption(row) for row in range(len(opened))][: wanted - len(captions)]
        if len(captions) >= wanted:
            break
    if not captions:
        raise ValueError(f"the shards in {shards.folder} hold no captions to plan for")
    return captions


@door.main("embed_text")
def main(cfg: DictConfig) -> None:
    if cfg.plan:
        _plan(cfg)
        return
    encoder, shards = door.build(cfg.text), Path(cfg.shards)
    folder = sidecar.folder(shards, encoder.name) if cfg.folder is None else Path(cfg.folder)
    mine, new = share(cfg.task, cfg.tasks, environment()), 0
    try:
        for done, written, count in embed(encoder, shards, folder, cfg.stored, cfg.budget, *mine):
            new = written
            print(f"\r{shards}: {done}/{count} sidecars", end="", flush=True)
    finally:
        print()  # what is said next has a line of its own
    print(f"{new} new sidecars are in {folder}")
    if cfg.stored == "int8":
        print(measured_error(folder))


def measured_error(folder: Path) -> str:
    """The worst of all files, each quantity by itself, and whether that is too much."""
    found: dict[str, list[float]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, value in sidecar.Sidecar(file).fields.items():
            if name.startswith("error."):
                found.setdefault(name.removeprefix("error."), []).append(float(value))
    worst = {name: (min if name == "cosine" else max)(found[name]) for name in sorted(found)}
    told = "measured error: " + ", ".join(f"{name} {value:.6g}" for name, value in worst.items())
    if worst and (worst["cosine"] < SAME or worst["ordinary"] > LOST):
        told += (
            f"\nThis is more than int8 should lose (cosine {SAME}, ordinary channels {LOST}): some "
            "vectors are loud where others are not. stored=bfloat16 with another folder= loses less"
        )
    return told


if __name__ == "__main__":
    main()
