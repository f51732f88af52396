"""Which numbers have been seen before, at eight bytes each: a collection has four hundred million.

They lie in sorted arrays, each longer than the next; a new one is merged with those that are no
longer than it. So a number is merged a few times only, and looked for in few arrays.
"""

import numpy as np


class Seen:
    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def first(self, numbers: np.ndarray) -> np.ndarray:
        """Which of these come for the first time [n]; now they have been seen."""
        different, places = np.unique(numbers, return_index=True)  # of each its first place
        new = np.ones(len(different), bool)
        for run in self._runs:
            near = np.minimum(np.searchsorted(run, different), len(run) - 1)
            new &= run[near] != different
        self._add(different[new])
        first = np.zeros(len(numbers), bool)
        first[places[new]] = True
        return first

    def _add(self, run: np.ndarray) -> None:
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # which finds what is sorted already
        if len(run):
            self._runs.append(run)
