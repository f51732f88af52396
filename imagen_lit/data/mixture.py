"""Several streams mixed by weight, by arithmetic: position -> (stream, its own position).

Positions come in blocks, of `BLOCK` by default. In each block every stream has its quota, to the
nearest whole number, in an order drawn for that block; so the place in every stream follows from
the position alone, and a mixture too is resumed from one integer. Law: each stream is visited from
its start, without gap or repetition.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.data.shuffle_order import MIX, Order, permutation

BLOCK = 1000


class Mixture:
    """An `Order` whose places begin with the number of the stream."""

    def __init__(
        self, orders: Sequence[Order], weights: Sequence[float], seed: int, block: int = BLOCK
    ) -> None:
        if min(weights) <= 0:
            raise InputError(f"weights={list(weights)} are not all above zero. Set each above 0.")
        self.orders, self.seed, self.block = list(orders), seed, block
        self.quotas = quotas(weights, block)
        self._places = lru_cache(maxsize=2)(self._draw)

    def __getitem__(self, position: int) -> tuple[int, int, int]:
        ((stream, shard, sample),) = self.locate(np.array([position])).tolist()
        return stream, shard, sample

    def locate(self, positions: np.ndarray) -> np.ndarray:
        """Positions [n] -> (stream, shard, sample) [n, 3]."""
        located = np.empty((len(positions), 3), np.int64)
        blocks, places = np.divmod(positions, self.block)
        own_positions = np.empty(len(positions), np.int64)
        for block in np.unique(blocks).tolist():
            rows = np.flatnonzero(blocks == block)
            streams, offsets = (column[places[rows]] for column in self._places(block))
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
        streams = streams[permutation(self.block, self.seed, MIX, block)]
        offsets = np.zeros(self.block, np.int64)
        for stream, quota in enumerate(self.quotas):
            offsets[streams == stream] = np.arange(quota)
        return streams, offsets


def quotas(weights: Sequence[float], block: int = BLOCK) -> list[int]:
    """Whole numbers that add up to `block`, by largest remainder; those of another block than
    `BLOCK`, a batch, are exact or refused."""
    exact = np.asarray(weights, float) / sum(weights) * block
    if block != BLOCK and np.abs(exact - exact.round()).max() > 1e-6:
        raise InputError(
            f"weights={list(weights)} do not divide data.mixture_block={block} into whole numbers "
            "of images. Set another data.batch_size, or weights of a simple ratio, such as 1 and 1."
        )
    if exact.min() < 1 - 1e-9:
        raise InputError(
            f"weights={list(weights)} give a folder less than a {block}th of all. Set larger ones."
        )
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(whole - exact, kind="stable")  # the largest remainder first
    whole[order[: block - whole.sum()]] += 1
    return whole.tolist()
