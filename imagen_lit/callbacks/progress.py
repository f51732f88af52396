"""One line that says how far training is and how long it will still take.

On a terminal the line renews itself; in a file a new one comes now and
then.
"""

import sys
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit.pace import Pace


class Progress(Callback):
    def __init__(self, label: str = "", every: float = 15.0) -> None:
        self.label, self.every = label, every
        self._pace = Pace()
        self._told = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._pace = Pace()
        self._told = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now, images = time.monotonic(), int(pl_module.images_seen)
        self._pace.saw(images)
        done = images >= pl_module.images
        if not trainer.is_global_zero:
            return
        if done or now - self._told >= (0.5 if sys.stderr.isatty() else self.every):
            self._told = now
            self._tell(images, pl_module.images, trainer.callback_metrics.get("train/loss"), done)

    def _tell(self, images: int, total: int, loss: Any, done: bool) -> None:
        share = min(1.0, images / total)
        bar = "█" * round(24 * share) + "░" * (24 - round(24 * share))
        said = f"{self.label} {bar} {images:,}/{total:,} images"
        said += f", loss {float(loss):.4f}" if loss is not None else ""
        said += f", {self._pace.speed:.0f} images/s, {self._pace.left(total)} left"
        live = sys.stderr.isatty()
        print(
            f"\r\033[K{said}" if live else said,
            end="" if live and not done else "\n",
            file=sys.stderr,
            flush=True,
        )
