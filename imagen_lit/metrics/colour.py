"""How colourful images are: strong guidance oversaturates.

Chroma is (max − min)/255 of a pixel's three values, the saturation of the HSV cone, which unlike
(max − min)/max does not call dark noise saturated. Colourfulness is that of Hasler & Süsstrunk
2003, M⁽³⁾: σ + 0.3 μ of the opponent colours R − G and (R + G)/2 − B, fitted to human ratings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.metrics.pixel_measure import PixelMeasure


def chroma(image: np.ndarray) -> float:
    """The mean over the pixels, from 0 to 1."""
    return float((image.max(axis=2).astype(np.float64) - image.min(axis=2)).mean() / 255)


def colourfulness(image: np.ndarray) -> float:
    """0 for grey; 15 is slightly, 45 averagely, 82 highly colourful to the raters of the paper."""
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    opponents = red - green, (red + green) / 2 - blue
    spread = math.hypot(*(each.std() for each in opponents))
    return spread + 0.3 * math.hypot(*(each.mean() for each in opponents))


@dataclass(frozen=True)
class Colour(PixelMeasure):
    """Neither large nor small is good: compare with real images of the prompts."""

    name = "colour"
    numbers = ("chroma", "colourfulness")

    def facts(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {"name": self.name}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The two numbers of each image."""
        rows = [(chroma(image), colourfulness(image)) for image in images]
        return np.array(rows, np.float32)
