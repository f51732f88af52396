"""Contrast of images: the share of nearly black and nearly white pixels, and the range of luminance
between.

Dynamic thresholding turns dark skies grey: the images lose their black. Luminance is luma, 0.2126 R
+ 0.7152 G + 0.0722 B of the sRGB values as they are in the file (BT.709), from 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.metrics.pixel_measure import PixelMeasure

LUMA = np.array([0.2126, 0.7152, 0.0722]) / 255


def contrast(image: np.ndarray, near: float, tail: float) -> tuple[float, float, float]:
    """The shares of pixels within `near` of black and of white, and the distance between the
    luminances that a share `tail` of the pixels lies below and above."""
    luma = image @ LUMA
    low, high = np.quantile(luma, [tail, 1 - tail])
    return float((luma <= near).mean()), float((luma >= 1 - near).mean()), float(high - low)


@dataclass(frozen=True)
class Contrast(PixelMeasure):
    """Neither large nor small is good: compare with real images of the prompts."""

    name = "contrast"
    numbers = ("near_black", "near_white", "luminance_range")
    near: float = 0.05
    tail: float = 0.01

    def __post_init__(self) -> None:
        arguments.number("near", self.near, 0, 0.5)
        arguments.number("tail", self.tail, 0, 0.5)

    def facts(self) -> dict[str, Any]:
        """With what counts as near, and as the end of the range."""
        return {"name": self.name, "near": self.near, "tail": self.tail, "luma": "BT.709"}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """The three numbers of each image."""
        rows = [contrast(image, self.near, self.tail) for image in images]
        return np.array(rows, np.float32)
