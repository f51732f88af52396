"""How fast a stage learns here: images/s, FLOPs an image, share of the matrix-product peak,
memory.

The peak is measured in the same run, as the best of square matrix products in the same precision;
FLOPs are counted by torch for one training step with a caption of ordinary length. The data are
part of what is timed.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from omegaconf import DictConfig, OmegaConf

from imagen_lit import door, machine, outlook, readiness
from imagen_lit.data.aside import aside
from imagen_lit.diffusion import noise
from imagen_lit.stage.condition import Condition, TextAndLowRes
from imagen_lit.stage.training import Stage


class Clock(Callback):
    """When each batch ended."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ended.append(time.perf_counter())


def speed(cfg: DictConfig, batches: int) -> float:
    """Images a second of training as `train` does it, in pieces of `data.at_once`, after four of
    them to warm up; nothing is kept."""
    clock, data = Clock(), door.build(cfg.data)
    torch.manual_seed(cfg.seed)
    stage: Stage = door.build(cfg.stage)
    stage.compile_networks(cfg.compile)
    stage.images = sys.maxsize  # it ends by its batches, however short the training is meant to be
    quiet = {"logger": False, "callbacks": None, "enable_checkpointing": False}
    length = {"max_epochs": 1, "limit_train_batches": batches + 4, "limit_val_batches": 0}
    trainer: Trainer = door.build({**cfg.trainer, **quiet, **length})
    trainer.callbacks.append(clock)  # type: ignore[attr-defined]
    trainer.accumulate_grad_batches = data.pieces(1)
    trainer.fit(stage, datamodule=data)
    images = batches * cfg.data.batch_size / data.pieces(1)
    return images / (clock.ended[-1] - clock.ended[3])


def step_seconds(cfg: DictConfig, batches: int = 8) -> float:
    """Seconds of one training step on pictures and text made up in memory."""
    stage: Stage = door.build(cfg.stage)
    trainer: Trainer = door.build({**cfg.trainer, "logger": False, "callbacks": None})
    edge, size = cfg.data.crop or cfg.data.size, cfg.data.batch_size
    batch = {
        "image": torch.rand(size, 3, edge, edge) * 2 - 1,
        "text": torch.randn(size, 16, cfg.text.width),
        "mask": torch.ones(size, 16, dtype=torch.bool),
        "position": torch.arange(size),
    }
    optimizer, ended = stage.configure_optimizers(), []
    for _ in range(batches + 2):
        with trainer.precision_plugin.forward_context():
            loss = stage.loss(stage.denoiser, batch, noise.times(0, batch["position"]), 0).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        ended.append(time.perf_counter())
    return (ended[-1] - ended[1]) / batches


def flops(cfg: DictConfig) -> int:
    """FLOPs of one training step, an image; they also tell one network and size from another."""
    with torch.device("meta"):
        stage: Stage = door.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    return outlook.foresee(stage, cfg.data.batch_size, edge, cfg.text.width).flops


@torch.inference_mode()
def call_seconds(cfg: DictConfig, pictures: int = 16) -> float:
    """Seconds of one network call, a picture, at the size that is drawn."""
    stage: Stage = door.build(cfg.stage)
    size, text = cfg.data.size, torch.zeros(pictures, 12, cfg.text.width)
    condition = Condition(text, torch.ones(pictures, 12, dtype=torch.bool))
    if isinstance(stage.condition, TextAndLowRes):
        lowres = torch.zeros(
            pictures, 3, size // stage.condition.factor, size // stage.condition.factor
        )
        condition = replace(condition, lowres=lowres, lowres_logsnr=torch.zeros(pictures))
    z, t = torch.zeros(pictures, 3, size, size), torch.full((pictures,), 0.5)
    stage.ema(z, t, condition)
    return min(_seconds(lambda: stage.ema(z, t, condition)) for _ in range(3)) / pictures


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@door.main("bench")
def main(cfg: DictConfig) -> None:
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    if lacks := readiness.lacking(
        shards, str(cfg.data.text), cfg.text.path, cfg.text.made_by, cfg.trainer.accelerator
    ):
        raise ValueError("; ".join(lacks))
    precision = str(cfg.trainer.precision)
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    found = None if cfg.trainer.accelerator == "cpu" else torch.accelerator.current_accelerator()
    device = found or torch.device("cpu")
    peak, an_image = machine.matrix_peak(dtype, device), flops(cfg)
    rate, memory = speed(cfg, cfg.batches), machine.memory(device)
    weights = sum(p.numel() for p in door.build(cfg.network).parameters())
    print(f"stage              {cfg.name}, {weights / 1e6:.2f} million parameters")
    held = "of the process" if device.type == "cpu" else "of the device"
    threads, batch = torch.get_num_threads(), cfg.data.batch_size
    compiled = f", compiled by {cfg.compile}" if cfg.compile else ""
    print(f"precision          {precision}, {threads} threads, batch {batch}{compiled}")
    print(f"speed              {rate:.1f} images/s, data included")
    print(f"work               {an_image / 1e9:.3f} GFLOP an image (forward and backward)")
    print(f"matrix peak        {peak / 1e9:.0f} GFLOP/s, measured now")
    print(f"share of the peak  {rate * an_image / peak:.1%}")
    print(f"memory             {memory:.2f} GiB at most, {held}")
    if cfg.keep:
        told = {"device": _name(device), "images_per_second": rate, "batch_size": batch}
        told["flops"] = an_image
        with aside(Path(cfg.runs) / cfg.name / outlook.PROBE) as file:
            file.write(json.dumps(told, indent=2).encode())


def _name(device: torch.device) -> str:
    if device.type == "cpu":
        return f"CPU of {torch.get_num_threads()} threads"
    return torch.cuda.get_device_name(device)


if __name__ == "__main__":
    if sys.argv[1:2] in (["data"], ["text"]):  # `python -m imagen_lit.bench data`: its own door
        other = f"imagen_lit.bench_{sys.argv[1]}"
        os.execv(sys.executable, [sys.executable, "-m", other, *sys.argv[2:]])
    main()
