"""What one update of a training asks of a GPU: how often the host reads from it, for which it has
to wait, and how many kernels it launches. Both are counted by CUDA's own tools, so elsewhere they
are not measured."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from lightning import Callback, Trainer
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

COPIES = ("Memcpy", "Memset")


class DeviceCalls(Callback):
    """Counts both in the two micro-batches that end an update after so many have passed. `reads`
    has the place of each; None: not measured."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.reads: list[str] | None = None
        self.launches: int | None = None
        self._watch = ExitStack()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Begin to count, if the batch ends an update."""
        ends_update = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if batch_idx < self.after or not ends_update or pl_module.device.type != "cuda":
            return
        if self.reads is None:
            self.reads = self._watch.enter_context(host_reads())
        elif self.launches is None:
            self._profile = self._watch.enter_context(profile(activities=[ProfilerActivity.CUDA]))
            self.launches = 0

    def on_train_batch_end(self, *_: Any) -> None:
        """Stop counting."""
        self._watch.close()
        if self.launches == 0:
            self.launches = sum(map(_is_launch, self._profile.events()))


@contextmanager
def host_reads() -> Iterator[list[str]]:
    """A list that holds, after the block, the place of each read from the GPU in it."""
    places: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode("default")
            places += [f"{each.filename}:{each.lineno}" for each in caught if _is_read(each)]


def _is_read(warning: warnings.WarningMessage) -> bool:
    return "synchronizing" in str(warning.message)


def _is_launch(event: Any) -> bool:
    return event.device_type == DeviceType.CUDA and not event.name.startswith(COPIES)
