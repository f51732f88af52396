"""Decoded pictures kept in memory, so that every pass but the first is nearly free.

Square pictures of one size, numbered 0..count; the first that fit into `mib` have a place. The
memory is one anonymous shared mapping: workers forked later fill it together, it grows as it is
filled, and it does not count against /dev/shm, which containers keep small. A worker that is
spawned, not forked, starts an empty one of its own.
"""

import mmap

import torch


class Kept:
    def __init__(self, count: int, edge: int, mib: float) -> None:
        self._arguments = (count, edge, mib)
        self.shape = (3, edge, edge)
        self.each = 3 * edge * edge + 1  # the last byte says that the others are there
        self.places = min(count, int(mib * (1 << 20)) // self.each)
        memory = mmap.mmap(-1, max(1, self.places * self.each))
        self._bytes = torch.frombuffer(memory, dtype=torch.uint8)

    def __reduce__(self) -> tuple[type["Kept"], tuple[int, int, float]]:
        return Kept, self._arguments

    def get(self, number: int) -> torch.Tensor | None:
        if number >= self.places or not self._bytes[(number + 1) * self.each - 1]:
            return None
        start = number * self.each
        return self._bytes[start : start + self.each - 1].view(self.shape)

    def put(self, number: int, picture: torch.Tensor) -> None:
        if number < self.places:
            start = number * self.each
            self._bytes[start : start + self.each - 1].view(self.shape).copy_(picture)
            self._bytes[start + self.each - 1] = 1
