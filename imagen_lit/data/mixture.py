"""Several streams mixed by weight, by arithmetic: position -> (stream, its own position).

Positions come in blocks of `BLOCK`. In each block every stream has its quota, to the nearest whole
number, in an order drawn for that block; so the place in every stream follows from the position
alone, and a mixture too is resumed from one integer. Law: each stream is visited from its start,
without gap or repetition.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.data.shuffle_order import MIX, Order, permutation

BLOCK = 1000


class Mixture:
    """An `Order` whose places begin with the number of the stream."""

    def __init__(self, orders: Sequence[Order], weights: Sequence[float], seed: int) -> None:
        if min(weights) <= 0:
            raise InputError(f"weights={list(weights)} are not all above zero. Set each above 0.")
        self.orders, self.seed = list(orders), seed
        self.quotas = quotas(weights)
        self._block = lru_cache(maxsize=2)(self._draw)

    def __getitem__(self, position: int) -> tuple[int, int, int]:
        ((stream, shard, sample),) = self.locate(np.array([position])).tolist()
        return stream, shard, sample

    def locate(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> (stream, shard, sample) [n, 3]."""
        located = np.empty((len(positions), 3), np.int64)
        blocks, places = np.divmod(positions, BLOCK)
        own_positions = np.empty(len(positions), np.int64)
        for block in np.unique(blocks).tolist():
            rows = np.flatnonzero(blocks == block)
            streams, offsets = (column[places[rows]] for column in self._block(block))
            located[rows, 0] = streams
            own_positions[rows] = block * np.array(self.quotas)[streams] + offsets
        for stream, order in enumerate(self.orders):
            rows = np.flatnonzero(located[:, 0] == stream)
            if len(rows):
                located[rows, 1:] = order.locate(own_positions[rows])
        return located

    def _draw(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """For each place of a block: its stream, and how many places before it have the same."""
        streams = np.repeat(np.arange(len(self.quotas)), self.quotas)
        streams = streams[permutation(BLOCK, self.seed, MIX, block)]
        offsets = np.zeros(BLOCK, np.int64)
        for stream, quota in enumerate(self.quotas):
            offsets[streams == stream] = np.arange(quota)
        return streams, offsets


def quotas(weights: Sequence[float]) -> list[int]:
    """Whole numbers that add up to `BLOCK`, by largest remainder."""
    exact = np.asarray(weights, float) / sum(weights) * BLOCK
    if exact.min() < 1 - 1e-9:
        raise InputError(
            f"weights={list(weights)} give a folder less than a {BLOCK}th of all. Set larger ones."
        )
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(whole - exact, kind="stable")  # the largest remainder first
    whole[order[: BLOCK - whole.sum()]] += 1
    return whole.tolist()
