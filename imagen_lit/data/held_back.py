"""The rows of a collection that are held back from training, in an order that only their keys
decide."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from imagen_lit.data.selection import Selection
from imagen_lit.data.shard_files import index_summary
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shard_files.shard import Shard

OPEN = 32  # shards at a time


def rows(shards: Collection, selection: Selection) -> Iterator[tuple[Shard, int]]:
    """Each held-back row with its shard, open; the lowest hash first."""
    hashes = index_summary.columns(shards.paths, ("hashes",))["hashes"]
    starts = np.cumsum([0, *shards.counts])
    numbers = np.flatnonzero(hashes < selection.threshold)

    @lru_cache(OPEN)
    def opened(number: int) -> tuple[Shard, set[int]]:
        shard = shards.open(number)
        return shard, set(selection.rows(number, shard.index.hashes, is_validation=True).tolist())

    for number in numbers[np.argsort(hashes[numbers], kind="stable")].tolist():
        place = int(np.searchsorted(starts, number, side="right")) - 1
        shard, validation = opened(place)
        if (row := number - int(starts[place])) in validation:
            yield shard, row
