"""Samples for the tests of metrics: images of noise, or features as they are wanted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.metrics.sample import Sample


class ToyImages:
    """Images from an array [N, H, W, 3], of a system that its facts name."""

    def __init__(
        self, images: np.ndarray, prompts: Sequence[str] | None = None, system: str = "toy"
    ) -> None:
        self.images, self.prompts, self.system = images, prompts, system

    def __len__(self) -> int:
        return len(self.images)

    def image(self, number: int) -> np.ndarray:
        return self.images[number]

    def facts(self) -> Mapping[str, Any]:
        return {"origin": "toy", "size": "8x8", "format": "PNG", "sha": self.system}


def noise_images(count: int, seed: int = 0, size: int = 8) -> np.ndarray:
    """uint8 [count, size, size, 3]."""
    shape = (count, size, size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class ToyExtractor:
    """Fixed random projections of the first pixels; of a text, of the sum of its letters."""

    def __init__(self, width: int = 4, weights: int = 0) -> None:
        self.width, self.weights, self.calls = width, weights, 0
        self.matrix = np.random.default_rng(weights).normal(size=(12, width))

    def facts(self) -> Mapping[str, Any]:
        return {"extractor": "toy", "width": self.width, "weights": self.weights}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        self.calls += 1
        pixels = np.stack([image[:2, :2].reshape(-1) for image in images])
        return np.float32((pixels / 255 - 0.5) @ self.matrix)

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        codes = np.array(
            [[sum(map(ord, text)) * prime % 101 for prime in PRIMES] for text in texts]
        )
        return np.float32((codes / 101 - 0.5) @ self.matrix)


PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


class FeatureTable:
    """An extractor for `table_images`: image i's features are row i of its table."""

    def __init__(self, *tables: np.ndarray) -> None:
        self.tables, self.width = tables, tables[0].shape[1]

    def facts(self) -> Mapping[str, Any]:
        return {"extractor": "table"}

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        places = (image.reshape(-1).view(np.int32)[:2] for image in images)
        return np.float32([self.tables[which][row] for which, row in places])


def table_images(which: int, count: int, prompts: Sequence[str] | None = None) -> ToyImages:
    """Images that hold nothing but which table, and which row."""
    places = np.stack([np.full(count, which), np.arange(count), np.zeros(count)], axis=1)
    images = places.astype(np.int32).view(np.uint8).reshape(count, 2, 2, 3)
    return ToyImages(images, prompts, f"table {which}")


def pair(
    folder: Path, x: np.ndarray, y: np.ndarray, prompts: Sequence[str] | None = None
) -> tuple[FeatureTable, Sample, Sample]:
    """An extractor, a sample with features x and a reference with features y, not yet extracted."""
    own, real = table_images(0, len(x), prompts), table_images(1, len(y))
    return FeatureTable(x, y), Sample(own, folder / "own"), Sample(real, folder / "real")
