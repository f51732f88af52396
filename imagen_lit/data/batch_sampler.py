"""One rank's batches: global batch n is positions [n B, (n+1) B), of which each rank takes a slice,
in micro-batches."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from imagen_lit.basics.errors import InputError


class Locates(Protocol):
    """Maps positions to places: an Order or a Mixture."""

    def locate(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> the place of each [n, …]."""


class BatchSlices:
    """One rank's slices of the global batches from position `start` on: an endless batch sampler.

    A slice comes in `accumulation_steps` equal micro-batches, one forward pass each. The rank is an
    argument and used in the main process, so it does not matter which rank a worker assumes.
    """

    def __init__(
        self,
        order: Locates,
        batch_size: int,
        rank: int,
        world_size: int,
        start: int,
        accumulation_steps: int = 1,
    ) -> None:
        self.order = order
        self.batch_size = batch_size
        self.slice_size = images_per_rank(batch_size, world_size)
        self.rank = rank
        self.start = start
        self.accumulation_steps = accumulation_steps

    def __iter__(self) -> Iterator[list[tuple[int, ...]]]:
        first = self.start + self.rank * self.slice_size
        size = self.slice_size // self.accumulation_steps
        while True:
            for start in range(first, first + self.slice_size, size):
                positions = np.arange(start, start + size)
                places = self.order.locate(positions).tolist()
                yield [(p, *place) for p, place in zip(positions.tolist(), places, strict=True)]
            first += self.batch_size


def images_per_rank(batch_size: int, world_size: int) -> int:
    """Each rank's slice of a batch."""
    if batch_size < 1 or batch_size % world_size:
        fits = max(1, round(batch_size / world_size)) * world_size
        raise InputError(
            f"data.batch_size={batch_size} counts the images of all ranks together, and must be a "
            f"multiple of their number, {world_size}. Set data.batch_size={fits}."
        )
    return batch_size // world_size


def count_accumulation_steps(images: int, micro_batch_size: int | None) -> int:
    """The fewest equal micro-batches for a slice of `images`, none above `micro_batch_size`."""
    if micro_batch_size is None:
        return 1
    if micro_batch_size < 1:
        raise InputError(
            f"data.micro_batch_size={micro_batch_size} is less than one image. "
            "Set data.micro_batch_size=1 or more, or null for no limit."
        )
    divisors = (n for n in range(1, images + 1) if images % n == 0)
    return next(n for n in divisors if images // n <= micro_batch_size)
