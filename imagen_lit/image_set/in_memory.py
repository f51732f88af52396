"""Images that were just drawn and lie in no file, as a set to be measured."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np


class InMemory:
    """`images`, uint8 [N, H, W, 3]: image i was drawn from `prompts[i]`."""

    def __init__(self, images: np.ndarray, prompts: Sequence[str]) -> None:
        self.images, self.prompts, self.size = images, list(prompts), int(images.shape[1])

    def __len__(self) -> int:
        return len(self.images)

    def image(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return self.images[number]

    def facts(self) -> dict[str, Any]:
        """By their content."""
        return {
            "origin": "memory",
            "count": len(self),
            "sha256": hashlib.sha256(self.images.tobytes()).hexdigest(),
            "format": "PNG",  # which loses nothing, so that a file would hold the same
            "size": f"{self.size}x{self.size}",
        }
