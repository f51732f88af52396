"""A fixed extractor for tests: 18 numbers that a person can work out, and no weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class SmallExtractor:
    """The mean colour of each quarter, and how much each channel changes across and down."""

    width = 18

    def facts(self) -> Mapping[str, Any]:
        return {"extractor": "small", "weights_sha256": None, "resize": None}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        rows = [self._vector(image.astype(np.float64) / 255) for image in images]
        return np.array(rows, np.float32).reshape(-1, self.width)

    def _vector(self, image: np.ndarray) -> np.ndarray:
        quarters = [
            part.mean((0, 1))
            for half in np.array_split(image, 2, axis=0)
            for part in np.array_split(half, 2, axis=1)
        ]
        changes = [np.abs(np.diff(image, axis=axis)).mean((0, 1)) for axis in (0, 1)]
        return np.concatenate([*quarters, *changes])
