"""Which samples are held back for validation: a choice by the hash of the key.

A sample is held back if its hash lies below a threshold. So the choice depends on keys alone: not
on the order of shards, nor on the seed, and it is the same at every resolution.
"""

import numpy as np

from imagen_lit.data.collection import Collection
from imagen_lit.data.shard import HASHES, index


def threshold(shards: Collection, validation: float) -> int:
    """`validation` is a share below 1, or a whole number of samples."""
    samples = sum(shards.counts)
    if not 0 <= validation < samples or (validation >= 1 and validation != int(validation)):
        raise ValueError(
            f"validation={validation} must be a share below 1 or a whole number of samples below "
            f"the {samples} that {shards.folder} has."
        )
    if validation < 1:
        return int(validation * HASHES)
    count = int(validation)
    lowest = np.zeros(0, np.int64)
    for path in shards.paths:
        lowest = np.sort(np.concatenate([lowest, index(path).hashes]))[: count + 1]
    return int(lowest[count])


def training(hashes: np.ndarray, threshold: int) -> np.ndarray:
    """The rows of a shard to train on."""
    return np.flatnonzero(hashes >= threshold)


def validation(hashes: np.ndarray, threshold: int) -> np.ndarray:
    """The rows of a shard that are held back."""
    return np.flatnonzero(hashes < threshold)
