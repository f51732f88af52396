"""Measure how fast a stage trains here: images/s, FLOPs per image, share of the matrix-product
peak, memory. `bench data` measures the data reader, `bench text` the text cache.

The peak is measured in the same run, as the best of square matrix products in the same precision;
FLOPs are counted by torch for one training step with a caption of ordinary length. Data reading is
included in the timing.
"""

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning import Callback, Trainer
from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder, hardware
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config, console
from imagen_lit.diffusion import noise
from imagen_lit.run import estimate, preflight, run_folder
from imagen_lit.run.trainer import build_trainer, training_device
from imagen_lit.stage.condition import Condition, TextAndLowRes
from imagen_lit.stage.training import Stage

WARM_UP = 4  # micro-batches


class Clock(Callback):
    """When each of `batches` ended; after so many seconds, one beside the warm-up is enough."""

    def __init__(self, batches: int, seconds: float = math.inf) -> None:
        self.batches, self.seconds, self.ends = batches, seconds, list[float]()
        self.started_at = time.perf_counter()
        self._counter = Counter("batches timed")

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Record the time, and stop if it is over."""
        self.ends.append(time.perf_counter())
        if len(self.ends) > WARM_UP and self.ends[-1] - self.started_at > self.seconds:
            trainer.should_stop, self.batches = True, len(self.ends)
        self._counter(len(self.ends), self.batches)


def speed(cfg: DictConfig, batches: int, seconds: float = math.inf) -> float:
    """Images per second of training as `train` does it, in micro-batches, after a few warm-up ones;
    nothing is saved. After so many seconds, fewer batches have to do."""
    clock, data = Clock(batches + WARM_UP, seconds), config.build(cfg.data)
    torch.manual_seed(cfg.seed)
    stage: Stage = config.build(cfg.stage)
    stage.compile_networks(cfg.compile)
    stage.images = sys.maxsize  # `batches` ends it, however short the configured training is
    quiet = {"logger": False, "callbacks": None, "enable_checkpointing": False}
    length = {"max_epochs": 1, "limit_train_batches": batches + WARM_UP, "limit_val_batches": 0}
    trainer = build_trainer(cfg, **quiet, **length)
    trainer.callbacks.append(clock)  # type: ignore[attr-defined]
    trainer.accumulate_grad_batches = data.accumulation_steps(1)
    trainer.fit(stage, datamodule=data)
    images = (len(clock.ends) - WARM_UP) * cfg.data.batch_size / data.accumulation_steps(1)
    return images / (clock.ends[-1] - clock.ends[WARM_UP - 1])


def step_seconds(cfg: DictConfig, batches: int = 8) -> float:
    """Seconds of one training step on random images and text in memory."""
    device = training_device(cfg)
    stage: Stage = config.build(cfg.stage).to(device)
    trainer = build_trainer(cfg, logger=False, callbacks=None)
    edge, size = cfg.data.crop or cfg.data.size, cfg.data.batch_size
    batch = {
        "image": torch.rand(size, 3, edge, edge) * 2 - 1,
        "text": torch.randn(size, 16, cfg.text.width),
        "mask": torch.ones(size, 16, dtype=torch.bool),
        "position": torch.arange(size),
    }
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    optimizer, ends = stage.configure_optimizers(), list[float]()
    progress = Counter("steps of the network timed")
    progress.start(0, batches + 2)
    while len(ends) < batches + 2:
        with trainer.precision_plugin.forward_context():
            loss = stage.loss(stage.denoiser, batch, noise.times(0, batch["position"]), 0).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        _wait(device)
        ends.append(time.perf_counter())
        progress(len(ends), batches + 2)
    return (ends[-1] - ends[1]) / batches


def flops(cfg: DictConfig) -> int:
    """FLOPs of one training step, per image; they also identify the network and image size."""
    with torch.device("meta"):
        stage: Stage = config.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    return estimate.work(stage, cfg.data.batch_size, edge, cfg.text.width).flops


@torch.inference_mode()
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

    def call() -> float:
        start = time.perf_counter()
        stage.ema(z, t, condition)
        _wait(device)
        return time.perf_counter() - start

    call()
    return min(call() for _ in range(3)) / images


def prompt_seconds(cascade: DictConfig, trials: Mapping[str, DictConfig]) -> float:
    """Seconds of all network calls that draw one prompt, from a few now; `trials` are the trainings
    of the cascade's stages."""
    total = 0.0
    for stage, trial in trials.items():
        recipe = cascade[stage].recipe
        calls = recipe.steps * (1 if recipe.guidance.weight == 1 else 2)
        total += calls * call_seconds(trial)
    return total


def _wait(device: torch.device) -> None:
    """Until the device has done all that was asked of it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@command.main("bench")
def main(cfg: DictConfig) -> None:
    """Print what was measured; with save=true save the speed in the run's folder."""
    arguments.whole_numbers(cfg, batches=1, seed=0)
    folder = run_folder.locate(cfg.runs, cfg.name)
    if is_saved := arguments.switch("save", cfg.save):
        chosen_folder.require_writable("name", cfg.name, folder)
    if missing := preflight.missing_for(cfg):
        raise InputError(" ".join(missing))
    precision = str(cfg.trainer.precision)
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    device = training_device(cfg)
    peak, flops_per_image = hardware.matrix_peak(dtype, device), flops(cfg)
    rate, memory = speed(cfg, cfg.batches), hardware.peak_memory(device)
    weights = sum(p.numel() for p in config.build(cfg.network).parameters())
    print(f"stage              {cfg.name}, {weights / 1e6:.2f} million parameters")
    owner = "of the process" if device.type == "cpu" else "of the device"
    threads, batch = torch.get_num_threads(), cfg.data.batch_size
    compiler = f", compiled by {cfg.compile}" if cfg.compile else ""
    print(f"precision          {precision}, {threads} threads, batch {batch}{compiler}")
    print(f"speed              {rate:.1f} images/s, data included")
    print(f"work               {flops_per_image / 1e9:.3f} GFLOP per image (forward and backward)")
    print(f"matrix peak        {peak / 1e9:.0f} GFLOP/s, measured now")
    print(f"share of the peak  {rate * flops_per_image / peak:.1%}")
    print(f"memory             {memory:.2f} GiB at most, {owner}")
    if is_saved:
        probe = {"device": _name(device), "images_per_second": rate, "batch_size": batch}
        write_json(folder / estimate.PROBE, probe | {"flops": flops_per_image})


def _name(device: torch.device) -> str:
    if device.type == "cpu":
        return f"CPU of {torch.get_num_threads()} threads"
    return torch.cuda.get_device_name(device)


if __name__ == "__main__":
    if sys.argv[1:2] in (["data"], ["text"]):
        console.run(["bench", *sys.argv[1:]])
    else:
        main()
