"""Which images were in an update that was skipped because its gradients were not finite.

Their keys go into metrics.jsonl, so that the images can be inspected: with the next update that is
logged, or before a checkpoint, whichever comes first.
"""

from typing import Any

import torch.distributed
from lightning import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn


class SkippedUpdates(Callback):
    """Writes {"images", "skipped_keys"} rows."""

    def __init__(self) -> None:
        self._update: list[str] = []  # the keys of the current one
        self._keys: dict[int, list[str]] = {}  # of each update since the last reading, by its end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect the keys of an update's micro-batches; write those that were skipped."""
        self._update += batch["key"]
        if pl_module.between_updates:
            self._keys[pl_module.images_seen], self._update = self._update, []
            if pl_module.is_logged:
                self._write(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Write what a run that resumes from it would miss."""
        pl_module.skips.read()
        self._write(trainer, pl_module)

    def _write(self, trainer: Trainer, pl_module: Any) -> None:
        for images in pl_module.skips.take():
            keys = [key for rank in _gather(self._keys[images], trainer) for key in rank]
            rank_zero_warn(
                f"the gradients of the update that ended at image {images:,} were not finite: it "
                f"was skipped ({pl_module.skips.total} so far); its keys are in metrics.jsonl"
            )
            trainer.logger.write({"images": images, "skipped_keys": keys})  # type: ignore[union-attr]
        self._keys = {}


def _gather(keys: list[str], trainer: Trainer) -> list[list[str]]:
    """The keys of each rank."""
    if trainer.world_size == 1:
        return [keys]
    by_rank: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(by_rank, keys)
    return by_rank
