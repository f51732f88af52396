"""Decoded images in memory, so that every pass after the first is nearly free.

Square images of one size, numbered 0..count; the first that fit into `mib` have a slot. The memory
is one anonymous shared mapping: workers forked later fill it together, it grows as it is filled,
and it does not count against /dev/shm, which is small in containers. A worker that is spawned, not
forked, starts its own empty cache.
"""

import mmap

import torch


class DecodedCache:
    """`put(number, image)`, then `get(number)`; an image without a slot is not stored."""

    def __init__(self, count: int, edge: int, mib: float) -> None:
        self._arguments = (count, edge, mib)
        self.shape = (3, edge, edge)
        self.slot_bytes = 3 * edge * edge + 1  # the last byte marks the slot as filled
        self.slots = min(count, int(mib * (1 << 20)) // self.slot_bytes)
        memory = mmap.mmap(-1, max(1, self.slots * self.slot_bytes))
        self._bytes = torch.frombuffer(memory, dtype=torch.uint8)

    def __reduce__(self) -> tuple[type["DecodedCache"], tuple[int, int, float]]:
        return DecodedCache, self._arguments

    def get(self, number: int) -> torch.Tensor | None:
        """The image, or None if its slot is empty or it has none."""
        last = (number + 1) * self.slot_bytes - 1
        if number >= self.slots or not self._bytes[last]:
            return None
        return self._bytes[number * self.slot_bytes : last].view(self.shape)

    def put(self, number: int, image: torch.Tensor) -> None:
        """Store the image if it has a slot."""
        if number < self.slots:
            last = (number + 1) * self.slot_bytes - 1
            self._bytes[number * self.slot_bytes : last].view(self.shape).copy_(image)
            self._bytes[last] = 1
