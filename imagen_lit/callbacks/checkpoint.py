"""When the state of a run is saved: every so many images, at the end, and whenever one is asked.

It is saved between two updates, when all that belongs to the last one, its validation too, is done
and written down. So nothing is missing and nothing comes twice in a run that goes on from there.
"""

from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from imagen_lit import checkpoint


class Checkpoints(Checkpoint):
    """After every `every` images. Kept are the `keep_last` newest and, by choice, one for every
    `keep_every` images."""

    def __init__(
        self, folder: str, every: int, keep_last: int = 2, keep_every: int | None = None
    ) -> None:
        if keep_last < 1:
            raise ValueError(f"keep_last={keep_last}: a run that keeps no state cannot go on")
        self.folder, self.every = Path(folder), every
        self.keep_last, self.keep_every = keep_last, keep_every
        self._saved: int | None = None  # images of the newest state of this process

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._saved = int(pl_module.images_seen)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        seen, saved = int(pl_module.images_seen), cast(int, self._saved)
        if pl_module.between_updates and seen // self.every > saved // self.every:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.save(trainer)

    def save(self, trainer: Any, anew: bool = False) -> None:
        """The state as it is, on the disk when this returns. All ranks call it together. `anew`:
        also over one after as many images."""
        if not trainer.lightning_module.between_updates:
            raise RuntimeError("a state can be saved between two updates only")
        if anew or int(trainer.lightning_module.images_seen) != self._saved:
            self._write(trainer)
        trainer.strategy.checkpoint_io.finish()

    def _write(self, trainer: Any) -> None:
        seen = int(trainer.lightning_module.images_seen)
        trainer.save_checkpoint(checkpoint.file(self.folder, seen))
        self._saved = seen
        if trainer.is_global_zero:
            checkpoint.prune(self.folder, self.keep_last, self.keep_every)
