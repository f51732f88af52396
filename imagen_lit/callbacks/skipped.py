"""Which pictures an update had that was left out, because its gradients were not finite.

Their keys go into metrics.jsonl, so that one can look at them.
"""

from typing import Any

import torch.distributed
from lightning import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn


class Skipped(Callback):
    def __init__(self) -> None:
        self._keys: list[str] = []
        self._before = 0

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._keys, self._before = [], pl_module.skipped

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._keys += batch["key"]
        if not pl_module.between_updates:
            return
        keys, self._keys = self._keys, []
        if pl_module.skipped == self._before:
            return
        self._before = pl_module.skipped
        keys = [key for rank in _of_all_ranks(keys, trainer.world_size) for key in rank]
        seen = int(pl_module.images_seen)
        rank_zero_warn(
            f"the gradients of the update that ended at image {seen:,} were not finite: it was "
            f"left out, the {pl_module.skipped}. so far; its keys are in metrics.jsonl"
        )
        trainer.logger.write({"images": seen, "skipped": keys})  # type: ignore[union-attr]


def _of_all_ranks(keys: list[str], world: int) -> list[list[str]]:
    if world == 1:
        return [keys]
    gathered: list[Any] = [None] * world
    torch.distributed.all_gather_object(gathered, keys)
    return gathered
