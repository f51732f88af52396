"""When the state of a run is saved: every so many images, at the end, and whenever one is asked."""

import os
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint


class Checkpoints(Checkpoint):
    def __init__(self, folder: str, every: int) -> None:
        self.folder, self.every = Path(folder), every
        self._saved = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved = int(pl_module.images_seen)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if int(pl_module.images_seen) // self.every > self._saved // self.every:
            self.save(trainer)

    def save(self, trainer: Trainer) -> None:
        """The state as it is, on the disk when this returns. All ranks call it together."""
        aside = self.folder / ".last.ckpt.tmp"
        trainer.save_checkpoint(aside)
        if trainer.is_global_zero:
            os.replace(aside, self.folder / "last.ckpt")
        self._saved = int(trainer.lightning_module.images_seen)
