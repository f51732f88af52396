"""Which of many images are looked at: those whose keys have the lowest hashes.

The choice depends on keys and a seed alone, so neither on the order of shards nor on their number,
and fewer are the first of more.
"""

import numpy as np


def seeded_order(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Positions of int64 hashes [n], in the order of other hashes that the seed makes of them;
    equal ones stay in their order. The mixing is splitmix64's (Steele et al. 2014)."""
    start = seed * 0x9E3779B97F4A7C15 % 2**64
    mixed = hashes.astype(np.uint64) + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.argsort(mixed, kind="stable")
