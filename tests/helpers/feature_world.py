"""Worlds of made-up features, to simulate how often an interval holds the truth."""

from typing import NamedTuple

import numpy as np


class FeatureWorld(NamedTuple):
    """`kind`: gauss; heavy, where the length of each vector varies as that of Student's t with 8
    degrees of freedom; mixture, of five places. `shift`: whether another mean and other spreads
    than the reference's. `seeds` images of a prompt have 30 % of their variance in common."""

    kind: str
    width: int
    shift: bool
    seeds: int

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """[count, width]: the images of a prompt stand together."""
        vectors = self._unit(rng, count)
        if self.seeds > 1:
            shared = np.repeat(self._unit(rng, count // self.seeds), self.seeds, axis=0)
            vectors = 0.3**0.5 * shared + 0.7**0.5 * vectors
        spreads = np.linspace(1.3, 0.5, self.width)
        if not self.shift:
            return vectors * spreads
        return vectors * spreads * np.linspace(1.2, 0.9, self.width) + 0.6 / self.width**0.5

    def reference(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Of the same kind, not shifted."""
        return self._replace(shift=False).draw(rng, count)

    def groups(self, count: int) -> np.ndarray:
        """The prompt of each image."""
        return np.arange(count) // self.seeds

    def _unit(self, rng: np.random.Generator, count: int) -> np.ndarray:
        vectors = rng.normal(size=(count, self.width))
        if self.kind == "heavy":
            return vectors * np.sqrt(6 / rng.chisquare(8, size=(count, 1)))
        if self.kind == "mixture":
            places = 0.6 * np.random.default_rng(self.width).normal(size=(5, self.width))
            return 0.8 * vectors + places[rng.integers(5, size=count)]
        return vectors
