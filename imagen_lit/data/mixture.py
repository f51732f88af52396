"""Several streams mixed by weight, by arithmetic: position -> (which stream, its own position).

Positions come in blocks of `BLOCK`. In each block every stream has its share, to the nearest whole
number, in an order drawn for that block; so the place in every stream follows from the position
alone, and a mixture is resumed from one integer too. Law: each stream is seen from its beginning on
without gap or repetition.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from imagen_lit.data.stream import MIX, Order, permutation

BLOCK = 1000


class Mixture:
    """An `Order` whose places begin with the number of the stream."""

    def __init__(self, orders: Sequence[Order], weights: Sequence[float], seed: int) -> None:
        if min(weights) <= 0:
            raise ValueError(f"found weights {list(weights)}: expected numbers above zero")
        self.orders, self.seed = list(orders), seed
        self.quotas = quotas(weights)
        self._block = lru_cache(maxsize=2)(self._draw)

    def __getitem__(self, position: int) -> tuple[int, int, int]:
        ((stream, shard, sample),) = self.places(np.array([position])).tolist()
        return stream, shard, sample

    def places(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> (stream, shard, sample) [n, 3]."""
        found = np.empty((len(positions), 3), np.int64)
        blocks, places = np.divmod(positions, BLOCK)
        own = np.empty(len(positions), np.int64)
        for block in np.unique(blocks).tolist():
            here = np.flatnonzero(blocks == block)
            which, before = self._block(block)
            streams = which[places[here]]
            found[here, 0] = streams
            own[here] = block * np.array(self.quotas)[streams] + before[places[here]]
        for stream, order in enumerate(self.orders):
            here = np.flatnonzero(found[:, 0] == stream)
            if len(here):
                found[here, 1:] = order.places(own[here])
        return found

    def _draw(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """For each place of a block: its stream, and how many places before it have the same."""
        which = np.repeat(np.arange(len(self.quotas)), self.quotas)
        which = which[permutation(BLOCK, self.seed, MIX, block)]
        before = np.zeros(BLOCK, np.int64)
        for stream, quota in enumerate(self.quotas):
            before[which == stream] = np.arange(quota)
        return which, before


def quotas(weights: Sequence[float]) -> list[int]:
    """Whole numbers that add up to `BLOCK`, by largest remainder."""
    exact = np.asarray(weights, float) / sum(weights) * BLOCK
    if exact.min() < 1 - 1e-9:
        raise ValueError(
            f"found weights {list(weights)}: expected each to be at least a {BLOCK}th of all"
        )
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(whole - exact, kind="stable")  # the largest remainder first
    whole[order[: BLOCK - whole.sum()]] += 1
    return whole.tolist()
