"""Which updates of a run were skipped because their gradients were not finite.

An accelerator decides that by itself, update by update, and the host learns it later, when it reads
anyway: with an update that is logged, and before a checkpoint. So what a record says is that of the
last reading.
"""

from typing import Any

import torch
from torch import Tensor

TOTAL, IN_A_ROW = "skipped", "skipped_in_a_row"  # the keys of a checkpoint


class SkipRecord:
    """How many were skipped, in total and at last in a row, and those that nobody has taken."""

    def __init__(self) -> None:
        self.total = self.in_a_row = 0
        self.longest_row = 0  # that the last reading met
        self._skipped_at: list[int] = []
        self._unread: list[tuple[int, Tensor]] = []

    def add(self, images: int, is_skipped: Tensor) -> None:
        """The update that ends at this image; `is_skipped`, a boolean, may lie on a device."""
        self._unread.append((images, is_skipped))

    def read(self) -> None:
        """Read what was added: the host waits for the device, once."""
        unread, self._unread = self._unread, []
        self.longest_row = self.in_a_row
        if not unread:
            return
        for (images, _), is_skipped in zip(
            unread, torch.stack([flag for _, flag in unread]).tolist(), strict=True
        ):
            self.total += is_skipped
            self.in_a_row = self.in_a_row + 1 if is_skipped else 0
            self.longest_row = max(self.longest_row, self.in_a_row)
            if is_skipped:
                self._skipped_at.append(images)

    def take(self) -> list[int]:
        """The image at which each skipped update ended, of all that were read and not yet taken."""
        taken, self._skipped_at = self._skipped_at, []
        return taken

    def state_dict(self) -> dict[str, int]:
        """The counts, for a checkpoint."""
        self.read()
        return {TOTAL: self.total, IN_A_ROW: self.in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Count on from a checkpoint."""
        self.total, self.in_a_row = state[TOTAL], state[IN_A_ROW]
