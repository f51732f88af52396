"""Measure how fast a stage trains and draws here, part by part. `bench data` measures the data
reader, `bench text` the text cache, and `bench peers` our network beside other projects'.

The speed is that of training as `train` does it, data included, on all ranks. The peak is measured
in the same run, as the best of square matrix products in the same precision; FLOPs are counted by
torch for one training step with a caption of ordinary length.
"""

import datetime
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder, hardware, json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config, console
from imagen_lit.measurement import drawing_rate, step_parts, stopwatch
from imagen_lit.measurement.attention_kernels import attention_kernels
from imagen_lit.measurement.device_calls import DeviceCalls
from imagen_lit.measurement.made_batch import made_batch
from imagen_lit.measurement.training_clock import WARM_UP, Clock
from imagen_lit.measurement.training_report import TrainingReport
from imagen_lit.run import estimate, preflight, run_folder
from imagen_lit.run.trainer import build_trainer, training_device
from imagen_lit.stage.condition import Condition, TextAndLowRes
from imagen_lit.stage.recipe import PRECISIONS, Recipe
from imagen_lit.stage.training import Stage

DRAWN = (1, 16)  # images at once


def speed(cfg: DictConfig, batches: int, seconds: float = math.inf) -> float:
    """Images per second of training as `train` does it, in micro-batches, after a few warm-up ones;
    nothing is saved. After so many seconds, fewer batches have to do."""
    clock = Clock(batches + WARM_UP, seconds)
    images, _ = _train(cfg, clock)
    return images / clock.batch_seconds


def _train(cfg: DictConfig, clock: Clock, calls: DeviceCalls | None = None) -> tuple[float, int]:
    """Train for so many micro-batches; the images of one over all ranks, and how many ranks."""
    data = config.build(cfg.data)
    stage = _stage(cfg)
    stage.images = sys.maxsize  # the clock ends it, however short the configured training is
    quiet = {"logger": False, "callbacks": None, "enable_checkpointing": False}
    trainer = build_trainer(cfg, **quiet, max_epochs=1, limit_val_batches=0)
    trainer.accumulate_grad_batches = pieces = data.accumulation_steps(trainer.world_size)
    observed = 2 * pieces if calls is not None else 0
    trainer.limit_train_batches = clock.batches + observed
    trainer.callbacks += [clock, *([] if calls is None else [calls])]  # type: ignore[attr-defined]
    trainer.fit(stage, datamodule=data)
    return cfg.data.batch_size / pieces, trainer.world_size


def _stage(cfg: DictConfig) -> Stage:
    torch.manual_seed(cfg.seed)
    stage: Stage = config.build(cfg.stage)
    stage.compile_networks(cfg.compile)
    return stage


def step_seconds(cfg: DictConfig) -> float:
    """Seconds of one training step on random images and text in memory."""
    device = training_device(cfg)
    return sum(_parts(cfg, _stage(cfg).to(device), _batch(cfg, cfg.data.batch_size)).values())


def _parts(cfg: DictConfig, stage: Stage, batch: dict[str, Any]) -> dict[str, float]:
    trainer, progress = build_trainer(cfg, logger=False, callbacks=None), Counter("steps timed")
    autocast = trainer.precision_plugin.forward_context
    return step_parts.step_parts(stage, batch, autocast, each_step=progress)


def _batch(cfg: DictConfig, images: int) -> dict[str, Any]:
    edge = cfg.data.crop or cfg.data.size
    return made_batch(images, edge, cfg.text.width, training_device(cfg))


def flops(cfg: DictConfig) -> int:
    """FLOPs of one training step, per image; they also identify the network and image size."""
    with torch.device("meta"):
        stage: Stage = config.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    return estimate.work(stage, cfg.data.batch_size, edge, cfg.text.width).flops


@torch.no_grad()  # as in a drawing
def call_seconds(cfg: DictConfig, images: int = 16) -> float:
    """Seconds of one network call, per image, at the size that is drawn."""
    device = training_device(cfg)
    stage: Stage = config.build(cfg.stage).to(device)
    size = cfg.data.size
    with device:
        text, mask = torch.zeros(images, 12, cfg.text.width), torch.ones(images, 12)
        condition = Condition(text, mask.bool())
        if isinstance(stage.condition, TextAndLowRes):
            edge = size // stage.condition.factor
            lowres = torch.zeros(images, 3, edge, edge)
            condition = replace(condition, lowres=lowres, lowres_logsnr=torch.zeros(images))
        z, t = torch.zeros(images, 3, size, size), torch.full((images,), 0.5)

    def call() -> None:
        stage.ema(z, t, condition)

    call()
    return min(stopwatch.seconds(call, device) for _ in range(3)) / images


def prompt_seconds(cascade: DictConfig, trials: Mapping[str, DictConfig]) -> float:
    """Seconds of all network calls that draw one prompt, from a few now; `trials` are the trainings
    of the cascade's stages."""
    total = 0.0
    for stage, trial in trials.items():
        recipe = cascade[stage].recipe
        calls = recipe.steps * (1 if recipe.guidance.weight == 1 else 2)
        total += calls * call_seconds(trial)
    return total


def report(cfg: DictConfig) -> TrainingReport | None:
    """Everything; None on all ranks but the first, which have trained with it."""
    device, precision = training_device(cfg), str(cfg.trainer.precision)
    clock = Clock(cfg.batches + WARM_UP)
    calls = DeviceCalls(clock.batches) if device.type == "cuda" else None
    images, ranks = _train(cfg, clock, calls)
    memory = hardware.peak_memory(device)
    if rank_zero_only.rank:  # type: ignore[attr-defined]
        return None
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    micro_batch, reasons = round(images / ranks), dict[str, str]()
    parts, more = _inner_story(cfg, micro_batch, reasons)
    return TrainingReport(
        stage=str(cfg.name),
        parameters=sum(p.numel() for p in config.build(cfg.network).parameters()),
        device=hardware.name(device),
        ranks=ranks,
        threads=torch.get_num_threads(),
        precision=precision,
        compile=cfg.compile,
        batch_size=cfg.data.batch_size,
        micro_batch_size=micro_batch,
        images_per_second=images / clock.batch_seconds,
        flops=flops(cfg),
        matrix_peak=hardware.matrix_peak(dtype, device),
        memory_gib=memory,
        memory_of="device" if hardware.counts_memory(device) else "process",
        parts={"data": clock.wait_seconds} | parts,
        host_reads=None if calls is None or calls.reads is None else len(calls.reads),
        launches=None if calls is None else calls.launches,
        versions=hardware.versions(),
        measured_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        reasons=reasons,
        **more,
    )


def _inner_story(
    cfg: DictConfig, micro_batch: int, reasons: dict[str, str]
) -> tuple[dict[str, float], dict[str, Any]]:
    """The parts of a step, attention and drawing, on a network and data of their own; what does not
    fit into memory is left out, with the reason."""
    device = training_device(cfg)
    more: dict[str, Any] = {"attention": None, "randn": None, "drawing": {}}
    parts: dict[str, float] = {}

    def steps() -> None:
        batch, stage = _batch(cfg, micro_batch), config.build(cfg.stage).to(device)
        with build_trainer(cfg, logger=False, callbacks=None).precision_plugin.forward_context():
            forward = torch.no_grad()(lambda: step_parts.loss_of(stage, batch))
            more["attention"] = attention_kernels(forward)
        stage.compile_networks(cfg.compile)
        parts.update(_parts(cfg, stage, batch))
        parts["noise"], more["randn"] = step_parts.noise_seconds(batch)

    def drawing() -> None:
        stage, recipe = _stage(cfg).to(device).eval(), config.build(cfg.recipe)
        recipe = replace(recipe, precision=_drawing_precision(cfg))
        for images in DRAWN:
            more["drawing"][images] = _steps_per_second(cfg, stage, recipe, images)

    for name, work in (("parts", steps), ("drawing", drawing)):
        _unless_out_of_memory(name, work, reasons)
    return parts, more


def _steps_per_second(cfg: DictConfig, stage: Stage, recipe: Recipe, images: int) -> float | None:
    place = cfg.data.size, cfg.text.width, training_device(cfg)
    return drawing_rate.steps_per_second(stage, recipe, images, *place)


def _drawing_precision(cfg: DictConfig) -> str:
    """The recipe's word for the precision of the training."""
    return PRECISIONS[str(cfg.trainer.precision).startswith("bf16")]


def _unless_out_of_memory(name: str, work: Callable[[], None], reasons: dict[str, str]) -> None:
    try:
        work()
    except torch.OutOfMemoryError:
        reasons[name] = (
            "it does not fit into memory beside the rest; data.micro_batch_size=... does"
        )


@command.main("bench")
def main(cfg: DictConfig) -> None:
    """Print what was measured; with save=true save it in the run's folder."""
    arguments.whole_numbers(cfg, batches=1, seed=0)
    folder, file = run_folder.locate(cfg.runs, cfg.name), json_file.writable("json", cfg.json)
    if is_saved := arguments.switch("save", cfg.save):
        chosen_folder.require_writable("name", cfg.name, folder)
    preflight.refuse_slow_compiler(cfg)
    if missing := preflight.missing_for(cfg):
        raise InputError(" ".join(missing))
    if (measured := report(cfg)) is None:
        return
    print("\n".join(measured.lines()))
    if is_saved:
        write_json(folder / estimate.PROBE, measured.plain())
    if file is not None:
        write_json(file, measured.plain())


if __name__ == "__main__":
    if sys.argv[1:2] in (["data"], ["text"], ["peers"]):
        console.run(["bench", *sys.argv[1:]])
    else:
        main()
