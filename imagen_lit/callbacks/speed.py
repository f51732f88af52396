"""How fast it learns, and what limits it.

speed/images_per_second   over the last minute, saving included, validation not
speed/data_wait           the share of that time spent waiting for a batch
speed/share_of_peak       FLOPs of the network's training steps / what matrix products reach here
speed/memory_gib          the most that was held so far: of the device, or of the process
speed/hours_left          at this speed
"""

import time
import warnings
from collections import deque
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit import machine

WAITS = 0.2  # a larger share of waiting than this is worth a word


class Speed(Callback):
    """`window`: seconds that are looked back on. Without `stage.flops` there is no share of the
    peak."""

    def __init__(self, window: float = 60.0) -> None:
        self.window = window
        self._peak: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._batches: deque[tuple[float, float, int]] = deque()  # seconds, of them waited, images
        self._since = time.perf_counter()
        self._warned = False
        if pl_module.flops is not None:
            half = str(trainer.precision).startswith("bf16")
            dtype = torch.bfloat16 if half else torch.float32
            self._peak = machine.matrix_peak(dtype, pl_module.device) * trainer.world_size

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self._waited = time.perf_counter() - max(self._since, pl_module.waits_since)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        images = len(batch["position"]) * trainer.world_size
        self._batches.append((now - self._since, self._waited, images))
        while len(self._batches) > 2 and sum(b[0] for b in self._batches) > self.window:
            self._batches.popleft()
        self._since = now
        seconds, waited, images = (sum(column) for column in zip(*self._batches, strict=True))
        rate = images / seconds
        pl_module.log("speed/images_per_second", rate)
        pl_module.log("speed/data_wait", waited / seconds)
        pl_module.log("speed/memory_gib", machine.memory(pl_module.device))
        left = pl_module.images - int(pl_module.images_seen)
        pl_module.log("speed/hours_left", left / rate / 3600)
        if self._peak is not None:
            pl_module.log("speed/share_of_peak", rate * pl_module.flops / self._peak)
        if not self._warned and seconds > self.window / 2 and waited / seconds > WAITS:
            self._warned = True
            _say(waited / seconds)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()


@rank_zero_only
def _say(share: float) -> None:
    warnings.warn(
        f"{share:.0%} of the time went into waiting for data, and at most {WAITS:.0%} is healthy: "
        "more data.workers, or look at python -m imagen_lit.bench data",
        stacklevel=2,
    )
