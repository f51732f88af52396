"""A set of 64-bit hashes at eight bytes each: a collection may have four hundred million captions.

The hashes are in sorted arrays, each longer than the next; a new array is merged with those of its
own length or less. So a hash is merged only a few times, and looked up in few arrays.
"""

import numpy as np


class HashSet:
    """An empty set, filled by `add_new`."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def add_new(self, hashes: np.ndarray) -> np.ndarray:
        """Add hashes [n]; True [n] for each that was neither in the set nor earlier in `hashes`."""
        distinct, rows = np.unique(hashes, return_index=True)  # with the first row of each
        is_new = np.ones(len(distinct), bool)
        for run in self._runs:
            near = np.minimum(np.searchsorted(run, distinct), len(run) - 1)
            is_new &= run[near] != distinct
        self._add(distinct[is_new])
        mask = np.zeros(len(hashes), bool)
        mask[rows[is_new]] = True
        return mask

    def _add(self, run: np.ndarray) -> None:
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # a merge, because both halves are sorted
        if len(run):
            self._runs.append(run)
