"""A copy of a run that has been replaced writes nothing more (imagen_lit/owner.py).

It is looked up before every state is saved and, since the journal is written too, once a second.
"""

import time
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit import owner


class Ownership(Callback):
    def __init__(self, folder: str, every: float = 1.0) -> None:
        self.folder, self.every = Path(folder), every
        self._looked = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if time.monotonic() - self._looked > self.every:
            self._looked = time.monotonic()
            owner.check(self.folder)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        owner.check(self.folder)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        owner.check(self.folder)
