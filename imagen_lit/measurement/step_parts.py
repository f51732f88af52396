"""A training step, part by part, on a batch in memory: forward, backward, optimiser, EMA, and the
noise, which is part of the forward pass."""

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from imagen_lit.diffusion import noise
from imagen_lit.measurement import stopwatch
from imagen_lit.stage import ema
from imagen_lit.stage.condition import Batch
from imagen_lit.stage.training import Stage

PARTS = ("forward", "backward", "optimizer", "ema")
WARM_UP = 2
Autocast = Callable[[], AbstractContextManager[None]]


def step_parts(
    stage: Stage,
    batch: Batch,
    autocast: Autocast,
    repeats: int = 8,
    each_step: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, float]:
    """Seconds of each part, the median of some steps. The stage is trained by them."""
    device, total = batch["image"].device, WARM_UP + repeats
    optimizer, moments = stage.configure_optimizers(), list[list[float]]()
    for number in range(total):
        moments.append([_now(device)])
        with autocast():
            loss = loss_of(stage, batch)
        moments[-1].append(_now(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        moments[-1].append(_now(device))
        optimizer.step()
        moments[-1].append(_now(device))
        ema.update(stage.ema, stage.denoiser, 0.99)
        moments[-1].append(_now(device))
        each_step(number + 1, total)
    return {
        part: statistics.median(each[i + 1] - each[i] for each in moments[WARM_UP:])
        for i, part in enumerate(PARTS)
    }


def loss_of(stage: Stage, batch: Batch) -> Tensor:
    """The mean loss of the batch, as training computes it."""
    t = noise.times(0, batch["position"])
    return stage.loss(stage.denoiser, batch, t, 0).mean()


def noise_seconds(batch: Batch, rounds: int = 20) -> tuple[float, float]:
    """For the noise of a batch: ours, and torch.randn of the same shape, in turns; the medians."""
    image, position = batch["image"], batch["position"]
    works = {
        "ours": lambda: noise.normal(0, position, "noise", image.shape[1:]),
        "randn": lambda: torch.randn(image.shape, device=image.device),
    }
    stopwatch.alternating(works, image.device, 2)
    times = stopwatch.alternating(works, image.device, rounds)
    return statistics.median(times["ours"]), statistics.median(times["randn"])


def _now(device: torch.device) -> float:
    stopwatch.wait_for(device)
    return time.perf_counter()
