"""How fast a stage trains, and what limits it.

speed/images_per_second   over the last minute, including saving but not validation
speed/data_wait           the share of that time spent waiting for a batch
speed/share_of_peak       FLOPs of the network's training steps / what matrix products reach here
speed/memory_gib          peak memory so far: of the GPU, or of the process
speed/hours_left          at this speed
clock/seconds             of training so far, over all starts: waiting for batches, updates, saving;
                          neither validations nor previews, nor the time between two starts
clock/flops               of training so far: images seen x FLOPs of one
"""

import time
import warnings
from collections import deque
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.basics import arguments, hardware
from imagen_lit.run.health_ranges import MAX_WAIT
from imagen_lit.run.metrics import FLOPS, SECONDS

PEAK_SECONDS = 0.2  # before the first update: some dozen products


class Speed(Callback):
    """`window`: seconds to look back. Without `stage.flops` there is no share of the peak."""

    def __init__(self, window: float = 60.0) -> None:
        self.window = arguments.positive_number("callbacks.speed.window", window)
        self._peak: float | None = None
        self._trained = 0.0  # seconds, over all starts; what a killed one did not save is not in it

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock, and measure the peak."""
        self._batches: deque[tuple[float, float, int]] = deque()  # seconds, seconds waiting, images
        self._since = time.perf_counter()
        self._warned = False
        if pl_module.flops is not None:
            bf16 = str(trainer.precision).startswith("bf16")
            dtype = torch.bfloat16 if bf16 else torch.float32
            peak = hardware.matrix_peak(dtype, pl_module.device, seconds=PEAK_SECONDS)
            self._peak = peak * trainer.world_size

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record how long the loop waited for the batch."""
        self._waiting_since = max(self._since, pl_module.waiting_since)
        self._wait = time.perf_counter() - self._waiting_since

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log the speed of the last minute, of the updates that are logged."""
        now = time.perf_counter()
        images = len(batch["position"]) * trainer.world_size
        self._trained += now - self._waiting_since
        self._batches.append((now - self._since, self._wait, images))
        while len(self._batches) > 2 and sum(b[0] for b in self._batches) > self.window:
            self._batches.popleft()
        self._since = now
        if not pl_module.is_logged:
            return
        seconds, wait, images = (sum(column) for column in zip(*self._batches, strict=True))
        self._log_clocks(pl_module, self._trained, "cpu")
        rate = images / seconds
        pl_module.log("speed/images_per_second", rate)
        pl_module.log("speed/data_wait", wait / seconds)
        pl_module.log("speed/memory_gib", hardware.peak_memory(pl_module.device))
        left = pl_module.images - pl_module.images_seen
        pl_module.log("speed/hours_left", left / rate / 3600)
        if self._peak is not None:
            pl_module.log("speed/share_of_peak", rate * pl_module.flops / self._peak)
        if not self._warned and seconds > self.window / 2 and wait / seconds > MAX_WAIT:
            self._warned = True
            _warn_of_wait(wait / seconds)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The row of a validation has the clocks too."""
        seconds = trainer.strategy.broadcast(self._trained)  # the rows are those of the first rank
        self._log_clocks(pl_module, seconds, pl_module.device, sync_dist=True)

    def state_dict(self) -> dict[str, Any]:
        """How long the weights of the checkpoint have been trained for."""
        return {"trained": self._trained}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Those of the run that is resumed."""
        self._trained = float(state_dict["trained"])

    def _log_clocks(self, pl_module: Any, seconds: float, device: Any, **how: Any) -> None:
        """In float64: a float32 would stand still after some months."""
        clocks = {SECONDS: seconds}
        if pl_module.flops is not None:
            clocks[FLOPS] = float(pl_module.images_seen) * pl_module.flops
        for name, value in clocks.items():
            number = torch.tensor(value, dtype=torch.float64, device=device)
            pl_module.log(name, number, **how)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The time of the validation does not count."""
        self._since = time.perf_counter()


@rank_zero_only
def _warn_of_wait(share: float) -> None:
    warnings.warn(
        f"{share:.0%} of the time was spent waiting for data; at most {MAX_WAIT:.0%} is healthy. "
        "Raise data.workers, or run python -m imagen_lit.bench data",
        stacklevel=2,
    )
