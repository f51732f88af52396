"""Feature vectors of many images in files of `PART` rows each, so that no more than a few of them
need be in memory and several processes can make them.

    <folder>/part_00000.npy, part_00001.npy, …     float32 [rows, width]
"""

from pathlib import Path

import numpy as np

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError, RunError

PART = 128  # rows of a file: small, so that even a few hundred images are shared over processes


class FeatureParts:
    """An array [count, width] that lies in files; rows by slice or by number read the files that
    they touch, and `numpy.asarray` reads all."""

    def __init__(self, folder: Path, count: int, width: int) -> None:
        self.folder, self.shape = folder, (count, width)

    def __len__(self) -> int:
        return self.shape[0]

    def parts(self) -> range:
        """The numbers of all parts."""
        return range(-(-len(self) // PART))

    def rows(self, part: int) -> range:
        """The numbers of the rows that a part holds."""
        return range(part * PART, min((part + 1) * PART, len(self)))

    def file(self, part: int) -> Path:
        """Where a part lies."""
        return self.folder / f"part_{part:05}.npy"

    def missing(self) -> list[int]:
        """The parts that are not there yet."""
        return [part for part in self.parts() if not self.file(part).exists()]

    def write(self, part: int, values: np.ndarray) -> None:
        """Store a part, once its vectors are finite and of the right number and width."""
        expected = (len(self.rows(part)), self.shape[1])
        if values.shape != expected:
            raise InputError(
                f"an extractor gave an array of shape {list(values.shape)} where "
                f"{list(expected)} was due. Correct its width, or its batches."
            )
        is_finite = np.isfinite(values).all(axis=1)
        if not is_finite.all():
            number = self.rows(part)[int(np.argmin(is_finite))]
            raise InputError(
                f"the features of number {number} (counted from 0) are not finite: nothing can be "
                "measured with them. Check the extractor's weights, and let it compute in float32."
            )
        with atomic_write(self.file(part)) as file:
            np.save(file, np.ascontiguousarray(values, np.float32))

    def read(self, part: int) -> np.ndarray:
        """One part, as a map of its file."""
        file = self.file(part)
        if not file.exists():
            raise RunError(
                f"{file} is not there: another process has yet to compute it. Let all of them end; "
                "the last one scores. If none runs, type the same command again."
            )
        try:
            values = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise InputError(f"{file} is damaged: it holds no array. Delete it.") from error
        if values.shape != (len(self.rows(part)), self.shape[1]) or values.dtype != np.float32:
            raise InputError(
                f"{file} is damaged: it holds {values.dtype} {list(values.shape)}, not float32 "
                f"{[len(self.rows(part)), self.shape[1]]}. Delete it."
            )
        return values

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        values = np.empty((len(numbers), self.shape[1]), np.float32)
        for part in np.unique(numbers // PART).tolist():
            is_in = numbers // PART == part
            values[is_in] = self.read(part)[numbers[is_in] - part * PART]
        return values

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        values = np.empty(self.shape, dtype or np.float32)
        for part in self.parts():
            rows = self.rows(part)
            values[rows.start : rows.stop] = self.read(part)
        return values
