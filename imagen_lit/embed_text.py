"""Embed every caption of a folder of shards with a text encoder, once: one sidecar per shard.

Several processes can share the work: task i of n, from the arguments or from SLURM's array and the
tasks that one srun starts. Run it again to recover. With dry_run=true nothing is written: it only
prints the disk space and time that it would take.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder, hardware
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.basics.short_form import quantity
from imagen_lit.cli import command, config
from imagen_lit.data import lost_captions, sidecar
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.text import cache, cache_cost, empty_caption
from imagen_lit.text.lost_text import CountingEncoder
from imagen_lit.text.text_encoder import TextEncoder

ARRAY = "SLURM_ARRAY_TASK_"
MIN_COSINE, MAX_ERROR = 0.999, 0.015  # of every token, and of ordinary channels, in int8


def embed(
    encoder: TextEncoder,
    shards: Path,
    folder: Path,
    storage: str,
    token_budget: int,
    task: int = 0,
    tasks: int = 1,
) -> Iterator[tuple[int, int, int]]:
    """Yield (sidecars done, of these newly written, in all) after each one."""
    collection, written = Collection(shards), 0
    count = len(range(task, len(collection), tasks))
    counting = CountingEncoder(encoder)
    work = (folder, storage, token_budget, task, tasks)
    sidecars = cache.fill(counting, collection, *work, notes=counting.lost)
    for done, (_, is_new) in enumerate(sidecars, 1):
        written += is_new
        yield done, written, count


def environment() -> dict[str, str]:
    """The variables that say which share is this process's. A sweep is a SLURM array too, but its
    members do not share the work: each embeds everything, with its own encoder."""
    is_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    return {k: v for k, v in os.environ.items() if not (is_sweep and k.startswith(ARRAY))}


def share(task: int | None, tasks: int | None, env: Mapping[str, str]) -> tuple[int, int]:
    """(task, tasks): the arguments; else this task of this member of SLURM's array; else (0, 1)."""
    if (task is None) != (tasks is None):
        raise InputError(f"task={task} and tasks={tasks}: one is missing. Set both, or neither.")
    if isinstance(task, int) and isinstance(tasks, int):
        return task, tasks
    if task is not None:
        raise InputError(
            f"task={task} and tasks={tasks} are not whole numbers. Set task=0 tasks=4, for example."
        )
    member, members = _array_member(env)
    per_member = int(env.get("SLURM_STEP_NUM_TASKS", 1))  # unset if no srun started this process
    rank = int(env.get("SLURM_PROCID", 0)) if per_member > 1 else 0
    return member * per_member + rank, members * per_member


def _array_member(env: Mapping[str, str]) -> tuple[int, int]:
    if f"{ARRAY}ID" not in env:
        return 0, 1
    names = [f"{ARRAY}{name}" for name in ("ID", "MIN", "MAX", "STEP", "COUNT")]
    values = [env.get(name, "unset") for name in names]
    if all(value.isdecimal() for value in values):
        this, lowest, highest, step, count = map(int, values)
        # SLURM gives nothing else, so the ids are known only if they are evenly spaced.
        if step and lowest + (count - 1) * step == highest and (this - lowest) % step == 0:
            return (this - lowest) // step, count
    listed = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
    raise InputError(
        f"this task's share of the work cannot be known from {listed}. Ask for an array of evenly "
        "spaced numbers, such as --array=0-15, or set task=<from 0> tasks=<how many>."
    )


def _dry_run(cfg: DictConfig) -> None:
    gpu_peak = _gpu_peak(cfg)
    arguments.whole_number("trial_captions", cfg.trial_captions, 1)
    arguments.positive_number("trial_seconds", cfg.trial_seconds)
    arguments.positive_number("train_gflops", cfg.train_gflops)
    encoder, meta = config.build(cfg.text), meta_folder(chosen_folder.of("shards", cfg.shards))
    before = set(meta.glob("*"))
    shards = Collection(cfg.shards)
    captions, count = _some_captions(shards, cfg.trial_captions), sum(shards.counts)
    if missing := encoder.missing_files():
        print("\n".join(cache_cost.without_weights(encoder, captions, count, cfg.storage)))
        print(f"hours    need the weights; {missing}")
    else:
        peak = hardware.matrix_peak(getattr(torch, encoder.dtype), encoder.device)
        cost = cache_cost.probe(encoder, captions, count, cfg.storage, peak, cfg.trial_seconds)
        print("\n".join(cost.report(encoder.name, cfg.gpu, gpu_peak, cfg.train_gflops)))
    if not encoder.missing_files(weights=False):
        counting = CountingEncoder(encoder)
        counting.lengths(captions)
        for line in lost_captions.report(encoder.name, [counting.lost(captions)]):
            print(f"lost     {line}")
    if new := len({*meta.glob("*")} - before):
        files = quantity(new, "file")
        print(f"written  {files} in {meta}: the shards were new here, and are now indexed")


def _gpu_peak(cfg: DictConfig) -> float:
    """What the chosen GPU reaches, in FLOP/s."""
    speeds = cfg.gpu_tflops
    if not isinstance(speeds, DictConfig) or not speeds:
        raise InputError(
            f"gpu_tflops={speeds} is not a speed for each GPU. Set 'gpu_tflops={{h100: 989}}', in "
            "TFLOP/s, for example."
        )
    if type(cfg.gpu) is not str:
        raise InputError(f"gpu={cfg.gpu} is no GPU's name. Set gpu=h100, for example.")
    if cfg.gpu not in speeds:
        raise InputError(
            f"gpu={cfg.gpu} is unknown. Set it to one of {', '.join(map(str, speeds))}, or add its "
            f"speed: +gpu_tflops.{cfg.gpu}=<dense bf16 TFLOP/s>."
        )
    return arguments.positive_number(f"gpu_tflops.{cfg.gpu}", speeds[cfg.gpu]) * 1e12


def _some_captions(shards: Collection, count: int) -> list[str]:
    captions: list[str] = []
    for number in range(len(shards)):
        shard = shards.open(number)
        captions += [shard.caption(row) for row in range(len(shard))][: count - len(captions)]
        if len(captions) >= count:
            break
    if not captions:
        raise InputError(
            f"the shards in {shards.folder} hold no captions. Set shards=... to another folder."
        )
    return captions


@command.main("embed_text")
def main(cfg: DictConfig) -> None:
    """Write the missing sidecars and print where they are."""
    arguments.whole_numbers(cfg, token_budget=1)
    cache.refuse_other_storage(cfg.storage)
    if arguments.switch("dry_run", cfg.dry_run):
        _dry_run(cfg)
        return
    shards = chosen_folder.of("shards", cfg.shards)
    chosen = None if cfg.folder is None else chosen_folder.of("folder", cfg.folder)
    encoder = config.build(cfg.text)
    folder = chosen or sidecar.default_folder(shards, encoder.name)
    task, tasks = share(cfg.task, cfg.tasks, environment())
    sidecars = embed(encoder, shards, folder, cfg.storage, cfg.token_budget, task, tasks)
    progress, new = Counter("sidecars"), 0
    for done, new, count in sidecars:
        progress(done, count, made=new)
    if task == 0:
        empty_caption.write(folder, encoder)
    print(f"{quantity(new, 'new sidecar')} {'is' if new == 1 else 'are'} in {folder}")
    for line in lost(encoder.name, folder, Collection(shards).paths[task::tasks]):
        print(line)
    if cfg.storage == "int8":
        print(measured_error(folder))


def lost(encoder: str, folder: Path, shards: Sequence[Path]) -> list[str]:
    """What the encoder lost of the captions of these shards, in words."""
    files = (folder / f"{path.stem}.safetensors" for path in shards)
    return lost_captions.report(encoder, (sidecar.Sidecar(file).fields for file in files))


def measured_error(folder: Path) -> str:
    """The worst value of each quantity over all files, and whether that is too much."""
    errors: dict[str, list[float]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, value in sidecar.Sidecar(file).fields.items():
            if name.startswith("error."):
                errors.setdefault(name.removeprefix("error."), []).append(float(value))
    worst = {name: (min if name == "cosine" else max)(errors[name]) for name in sorted(errors)}
    text = "measured error: " + ", ".join(f"{name} {value:.6g}" for name, value in worst.items())
    if worst and (worst["cosine"] < MIN_COSINE or worst["ordinary"] > MAX_ERROR):
        text += (
            f"\nThis is more than int8 should lose (cosine {MIN_COSINE}, ordinary channels "
            f"{MAX_ERROR}): some vectors have large channels where others do not. "
            "storage=bfloat16 with another folder=... loses less."
        )
    return text


if __name__ == "__main__":
    main()
