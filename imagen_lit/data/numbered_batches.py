"""A stream of batches that get their positions when they arrive in the main process."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from imagen_lit.data import loader_worker
from imagen_lit.data.stateless import Stateless


class NumberedBatches(Stateless):
    """Whatever the workers did, positions, and with them the noise, continue without a gap."""

    def __init__(
        self, loader: DataLoader, start: int, batch_size: int, rank: int, accumulation_steps: int
    ) -> None:
        self.loader, self.start, self.batch_size = loader, start, batch_size
        self.rank, self.accumulation_steps = rank, accumulation_steps

    def __iter__(self) -> Iterator[dict[str, Any]]:
        batches, steps = loader_worker.iterate(self.loader), self.accumulation_steps
        try:
            for number, batch in enumerate(batches):
                size, step = len(batch["position"]), number % steps
                first = self.start + (self.rank * steps + step) * size
                batch["position"] = torch.arange(first, first + size)
                if step == steps - 1:
                    self.start += self.batch_size
                yield batch
        finally:
            loader_worker.shut_down(batches)
