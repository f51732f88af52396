"""The endless shuffle order of samples, by arithmetic: position -> (shard, sample).

A pass visits every sample once. In each pass the shards are permuted; `window` of them are open
together, and all samples of a window are permuted. So neighbours come from many shards, yet only a
few files are in use at a time.

Laws: the order from position n on is the order from 0 without its first n; it depends only on
(counts, seed, window), so neither on ranks nor on workers; no sample comes twice in a pass. Hence
the whole state of the data is one integer.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from imagen_lit.basics.errors import InputError

# What a random number is drawn for.
PASS, WINDOW, CROP, FLIP, SUBSTITUTE, MIX = range(6)


def draw(seed: int, purpose: int, position: int, count: int, detail: int = 0) -> np.ndarray:
    """`count` random uint64 that depend only on the integers given.

    These are Philox's raw bits, because numpy keeps those the same in every version, unlike its
    `permutation`. Each integer fills a fixed number of words, so that no two keys coincide.
    """
    words = [purpose, detail, *divmod(seed, 1 << 32), *divmod(position, 1 << 32)]
    return np.random.Philox(np.random.SeedSequence(words)).random_raw(count)


def permutation(size: int, seed: int, purpose: int, position: int, detail: int = 0) -> np.ndarray:
    """A random permutation of range(size), a function of the integers given."""
    return np.argsort(draw(seed, purpose, position, size, detail))  # 64 bits: no two are equal


class Order:
    """Which sample is at a position, for shards of `counts` samples."""

    def __init__(self, counts: Sequence[int] | np.ndarray, seed: int, window: int = 64) -> None:
        self.counts = np.asarray(counts, dtype=np.int64)
        self.samples = int(self.counts.sum())
        self.seed = seed
        self.window = window
        if self.samples == 0:
            raise InputError(
                "every shard is empty, so there is no sample to train on. "
                "Set data.shards=... to another folder, or widen data.filter."
            )
        # A batch may straddle two windows and two passes.
        self._pass = lru_cache(maxsize=2)(self._shards_of_pass)
        self._window = lru_cache(maxsize=2)(self._samples_of_window)

    def __getitem__(self, position: int) -> tuple[int, int]:
        ((shard, sample),) = self.locate(np.array([position])).tolist()
        return shard, sample

    def locate(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> (shard, sample) [n, 2]. Neighbours are in one window, or two."""
        located = np.empty((len(positions), 2), np.int64)
        passes, places = np.divmod(positions, self.samples)
        for number in np.unique(passes).tolist():
            in_pass = np.flatnonzero(passes == number)
            _, starts = self._pass(number)
            windows = np.searchsorted(starts, places[in_pass], side="right") - 1
            for window in np.unique(windows).tolist():
                rows = in_pass[windows == window]
                shards, ends, samples = self._window(number, window)
                sample = samples[places[rows] - starts[window]]
                slots = np.searchsorted(ends, sample, side="right")
                shard = shards[slots]
                located[rows, 0] = shard
                located[rows, 1] = sample - (ends[slots] - self.counts[shard])
        return located

    def _shards_of_pass(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The shards in the order of a pass, and the place where each window starts."""
        shards = permutation(len(self.counts), self.seed, PASS, number)
        before = np.concatenate([[0], np.cumsum(self.counts[shards])[:-1]])
        return shards, before[:: self.window]

    def _samples_of_window(self, number: int, window: int) -> tuple[np.ndarray, ...]:
        """A window's shards, the ends of their samples laid end to end, and those permuted."""
        shards = self._pass(number)[0][window * self.window : (window + 1) * self.window]
        ends = np.cumsum(self.counts[shards])
        return shards, ends, permutation(int(ends[-1]), self.seed, WINDOW, number, window)
