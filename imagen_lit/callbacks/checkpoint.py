"""When a checkpoint is saved: every so many images, at the end, and whenever one is asked for.

It is saved between two updates, when everything that belongs to the last one, including its
validation, is done and logged. So a run that resumes from it misses nothing and repeats nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.basics.progress_line import doing
from imagen_lit.run import checkpoint


class Checkpoints(Checkpoint):
    """After every `every` images. The `keep_last` newest stay and, optionally, one for every
    `keep_every` images, and those that are saved as soon as each of `keep_at` images is seen."""

    def __init__(
        self,
        folder: str,
        every: int,
        keep_last: int = 2,
        keep_every: int | None = None,
        keep_at: Sequence[int] = (),
    ) -> None:
        arguments.whole_number("callbacks.checkpoint.every", every, 1)
        if keep_every is not None:
            arguments.whole_number("callbacks.checkpoint.keep_every", keep_every, 1)
        for images in keep_at:
            arguments.whole_number("callbacks.checkpoint.keep_at", images, 1)
        if keep_last < 1:
            raise InputError(
                f"callbacks.checkpoint.keep_last={keep_last} keeps no checkpoint to resume from. "
                "Set it to 1 or more."
            )
        self.folder, self.every = Path(folder), every
        self.keep_last, self.keep_every, self.keep_at = keep_last, keep_every, tuple(keep_at)
        self._saved_at: int | None = None  # images of the newest checkpoint of this process

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """The checkpoint that it resumes from is already saved."""
        self._saved_at = pl_module.images_seen

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save, if it is due."""
        images: int = pl_module.images_seen
        saved_at = cast(int, self._saved_at)
        is_due = images // self.every > saved_at // self.every
        is_due |= any(saved_at < each <= images for each in self.keep_at)
        if pl_module.between_updates and is_due:
            self._write(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save, unless a checkpoint after this many images exists."""
        self.save(trainer)

    def save(self, trainer: Any, overwrite: bool = False) -> None:
        """Save the current state; it is on disk when this returns. All ranks call it together.
        `overwrite`: replace an existing checkpoint after the same number of images."""
        if not trainer.lightning_module.between_updates:
            raise RunError(
                "the update is not complete: a checkpoint can only be saved between two updates. "
                "Call save() when stage.between_updates is true."
            )
        if overwrite or trainer.lightning_module.images_seen != self._saved_at:
            self._write(trainer)
        trainer.strategy.checkpoint_io.finish()

    def _write(self, trainer: Any) -> None:
        images = trainer.lightning_module.images_seen
        with doing("saving a checkpoint"):
            trainer.save_checkpoint(checkpoint.path(self.folder, images))
        self._saved_at = images
        if trainer.is_global_zero:
            checkpoint.prune(self.folder, self.keep_last, self.keep_every, self.keep_at)
