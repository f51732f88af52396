"""Which images were in an update that was skipped because its gradients were not finite.

Their keys go into metrics.jsonl, so that the images can be inspected.
"""

from typing import Any

import torch.distributed
from lightning import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn


class SkippedUpdates(Callback):
    """Writes {"images", "skipped_keys"} rows."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._before = 0

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Count from here."""
        self._keys, self._before = [], pl_module.skipped_updates

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect the keys of an update's micro-batches; write them if it was skipped."""
        self._keys += batch["key"]
        if not pl_module.between_updates:
            return
        keys, self._keys = self._keys, []
        if pl_module.skipped_updates == self._before:
            return
        self._before = pl_module.skipped_updates
        keys = [key for rank in _gather(keys, trainer.world_size) for key in rank]
        images = pl_module.images_seen
        rank_zero_warn(
            f"the gradients of the update that ended at image {images:,} were not finite: it was "
            f"skipped ({pl_module.skipped_updates} so far); its keys are in metrics.jsonl"
        )
        row = {"images": images, "skipped_keys": keys}
        trainer.logger.write(row)  # type: ignore[union-attr]


def _gather(keys: list[str], world_size: int) -> list[list[str]]:
    """The keys of each rank."""
    if world_size == 1:
        return [keys]
    by_rank: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(by_rank, keys)
    return by_rank
