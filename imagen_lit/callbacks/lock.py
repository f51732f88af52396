"""A copy of a run that has been replaced stops writing (imagen_lit/run/lock.py).

The lock is checked before every checkpoint and, since metrics.jsonl is written too, once a second.
"""

import time
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit.run import lock


class LockCheck(Callback):
    """`every`: seconds between two checks."""

    def __init__(self, folder: str, every: float = 1.0) -> None:
        self.folder, self.every = Path(folder), every
        self._checked_at = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check, if it is due."""
        if time.monotonic() - self._checked_at > self.every:
            self._checked_at = time.monotonic()
            lock.check(self.folder)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check."""
        lock.check(self.folder)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check."""
        lock.check(self.folder)
