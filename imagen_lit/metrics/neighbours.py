"""Distances between many feature vectors, some rows at a time, and balls around vectors that reach
to their k-th neighbour.

Distances are squared and in float64: with |x|² + |y|² − 2xᵀy in float32 the small ones, which these
metrics rest on, would be rounding.
"""

from collections.abc import Iterator

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.metrics.frechet import Rows

ROWS = 512  # at once: 512 x 30,000 distances are 120 MB


def chunks(count: int) -> Iterator[slice]:
    """Slices of at most `ROWS` rows that cover so many."""
    for start in range(0, count, ROWS):
        yield slice(start, min(start + ROWS, count))


def squared_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[len(x), len(y)]."""
    x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
    distances = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * (x @ y.T)
    return np.maximum(distances, 0, out=distances)


def refuse_few(count: int, k: int) -> None:
    """Raise if so many images have no k neighbours each."""
    if count <= k:
        raise InputError(
            f"{count} images have no {k} neighbours each. Set k lower, or give more images."
        )


def squared_radii(x: np.ndarray, k: int) -> np.ndarray:
    """For each row the squared distance to its k-th nearest other row."""
    refuse_few(len(x), k)
    radii = np.empty(len(x))
    for rows in chunks(len(x)):
        distances = squared_distances(x[rows], x)
        distances[np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)] = np.inf
        radii[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return radii


def squared_radii_without(x: np.ndarray, k: int, block: np.ndarray) -> np.ndarray:
    """[blocks, rows]: what `squared_radii` are of the other rows once a block of them is left out;
    of its own, −1, which nothing is within."""
    members = [np.flatnonzero(block == number) for number in range(block.max() + 1)]
    radii = np.empty((len(members), len(x)))
    for rows in chunks(len(x)):
        distances = squared_distances(x[rows], x)
        distances[np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)] = np.inf
        nearest_of_each = []  # the k nearest of a block are all that can matter of it
        for own in members:
            last = min(k, len(own)) - 1
            nearest_of_each.append(np.partition(distances[:, own], last, axis=1)[:, : last + 1])
        for number in range(len(members)):
            others = nearest_of_each[:number] + nearest_of_each[number + 1 :]
            together = np.concatenate(others, axis=1)
            last = min(k, together.shape[1]) - 1
            radii[number, rows] = np.partition(together, last, axis=1)[:, last]
    radii[np.isinf(radii)] = -1  # too few are left to have so many neighbours
    for number, own in enumerate(members):
        radii[number, own] = -1
    return radii


def nearest(x: np.ndarray, others: Rows) -> np.ndarray:
    """For each row the squared distance to the nearest of the others, which may lie in files."""
    closest = np.full(len(x), np.inf)
    for rows in chunks(others.shape[0]):
        np.minimum(closest, squared_distances(x, others[rows]).min(axis=1), out=closest)
    return closest
