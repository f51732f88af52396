"""What looks at images for a metric: a network with fixed weights that turns each into a vector."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Extractor(Protocol):
    """`features` depends on each image alone, not on those beside it, up to rounding."""

    width: int  # of a feature vector

    def facts(self) -> Mapping[str, Any]:
        """All that decides its vectors, as plain JSON: its name, the sha256 of its weights, the
        layer, the resizing with its kernel and antialiasing, the normalisation."""

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, width] of images uint8 [H, W, 3] of any sizes."""


@runtime_checkable
class TextExtractor(Extractor, Protocol):
    """One that also turns texts into vectors of the same space, as CLIP does."""

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [B, width], not normalised."""
