"""The endless order of samples, by arithmetic: position -> (shard, sample).

A pass visits every sample once. In each pass the shards are permuted; `window` of them are open
together, and all samples of a window are permuted. So neighbours come from many shards, yet only
few files are in use. Global batch n is positions [n B, (n+1) B) and a rank takes its slice.

Laws: the stream opened at n is the stream from 0 without its first n; it depends on nothing but
(counts, seed, window), so neither on ranks nor on workers; no sample comes twice in a pass. Hence
the whole state of the data is one integer.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

# What a number is drawn for.
PASS, WINDOW, CROP, MIRROR, SUBSTITUTE, MIX = range(6)


def draw(seed: int, purpose: int, position: int, count: int, detail: int = 0) -> np.ndarray:
    """`count` uint64 numbers that depend on the integers given, and on nothing else.

    Philox's raw bits, because numpy keeps those the same in every version, and its `permutation`
    not. Each integer is written in words of fixed number, so that no two keys run together.
    """
    words = [purpose, detail, *divmod(seed, 1 << 32), *divmod(position, 1 << 32)]
    return np.random.Philox(np.random.SeedSequence(words)).random_raw(count)


def permutation(size: int, seed: int, purpose: int, position: int, detail: int = 0) -> np.ndarray:
    return np.argsort(draw(seed, purpose, position, size, detail))  # 64 bits: no two are equal


class Order:
    """Where position p lies, for shards of `counts` samples."""

    def __init__(self, counts: Sequence[int] | np.ndarray, seed: int, window: int = 64) -> None:
        self.counts = np.asarray(counts, dtype=np.int64)
        self.samples = int(self.counts.sum())
        self.seed = seed
        self.window = window
        if self.samples == 0:
            raise ValueError("There is no sample to train on: every shard is empty.")
        # A batch may straddle two windows and two passes.
        self._pass = lru_cache(maxsize=2)(self._shards_of_pass)
        self._window = lru_cache(maxsize=2)(self._samples_of_window)

    def __getitem__(self, position: int) -> tuple[int, int]:
        ((shard, sample),) = self.places(np.array([position])).tolist()
        return shard, sample

    def places(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> (shard, sample) [n, 2]. Neighbours lie in one window, or two."""
        found = np.empty((len(positions), 2), np.int64)
        turns, places = np.divmod(positions, self.samples)
        for turn in np.unique(turns).tolist():
            here = np.flatnonzero(turns == turn)
            _, starts = self._pass(turn)
            windows = np.searchsorted(starts, places[here], side="right") - 1
            for number in np.unique(windows).tolist():
                rows = here[windows == number]
                shards, ends, samples = self._window(turn, number)
                sample = samples[places[rows] - starts[number]]
                which = np.searchsorted(ends, sample, side="right")
                shard = shards[which]
                found[rows, 0] = shard
                found[rows, 1] = sample - (ends[which] - self.counts[shard])
        return found

    def _shards_of_pass(self, turn: int) -> tuple[np.ndarray, np.ndarray]:
        """The shards in the order of a pass, and the place where each window starts."""
        shards = permutation(len(self.counts), self.seed, PASS, turn)
        before = np.concatenate([[0], np.cumsum(self.counts[shards])[:-1]])
        return shards, before[:: self.window]

    def _samples_of_window(self, turn: int, number: int) -> tuple[np.ndarray, ...]:
        """A window's shards, the ends of their samples when laid end to end, and these permuted."""
        shards = self._pass(turn)[0][number * self.window : (number + 1) * self.window]
        ends = np.cumsum(self.counts[shards])
        return shards, ends, permutation(int(ends[-1]), self.seed, WINDOW, turn, number)


class Places(Protocol):
    def places(self, positions: np.ndarray) -> np.ndarray: ...


class Slices:
    """One rank's slices of the global batches from position `start` on: a batch sampler, endless.

    A slice comes in so many equal `pieces`, one forward each. It lives in the main process and is
    told its rank, so it cannot be misled by what a worker process believes about ranks.
    """

    def __init__(
        self, order: Places, batch_size: int, rank: int, world: int, start: int, pieces: int = 1
    ) -> None:
        self.order = order
        self.batch_size = batch_size
        self.share = share(batch_size, world)
        self.rank = rank
        self.start = start
        self.pieces = pieces

    def __iter__(self) -> Iterator[list[tuple[int, ...]]]:
        first = self.start + self.rank * self.share
        while True:
            positions = np.arange(first, first + self.share)
            places = self.order.places(positions).tolist()
            slice_ = [(p, *place) for p, place in zip(positions.tolist(), places, strict=True)]
            piece = self.share // self.pieces
            yield from (slice_[i : i + piece] for i in range(0, self.share, piece))
            first += self.batch_size


def pieces(share: int, at_once: int | None) -> int:
    """Into how few equal pieces a slice falls when at most `at_once` pictures fit into one."""
    if at_once is None:
        return 1
    if at_once < 1:
        raise ValueError(
            f"at_once={at_once}: at least one picture must fit into a forward pass: type "
            "data.at_once=1 or more, or null for all"
        )
    return next(n for n in range(1, share + 1) if share % n == 0 and share // n <= at_once)


def share(batch_size: int, world: int) -> int:
    if batch_size < 1 or batch_size % world:
        fits = max(1, round(batch_size / world)) * world
        raise ValueError(
            f"batch_size={batch_size} counts the pictures of all ranks together and must be a "
            f"multiple of their number, {world}: type data.batch_size={fits}"
        )
    return batch_size // world
