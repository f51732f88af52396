"""The rows of a Parquet file, a few held at once: one group of them can be gigabytes."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from imagen_lit.data.transform import Unusable

HELD = 16  # rows; neighbours are asked for one after the other
TEXTS = 1024  # cells, where only one column is read


class Parquet:
    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ValueError(
                f"{path} needs pyarrow to be read: type pip install 'imagen-lit[parquet]'"
            ) from error
        self.path = path
        with self._in_words():
            self._file = parquet.ParquetFile(path)
            self.names = list(self._file.schema_arrow.names)
            meta = self._file.metadata
            groups = range(meta.num_row_groups)
            self._ends = list(accumulate(meta.row_group(group).num_rows for group in groups))
        self._first, self._held, self._following = 0, None, iter(())

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> dict[str, Any]:
        group = bisect_right(self._ends, number)
        start = self._ends[group - 1] if group else 0
        if self._held is None or not start <= self._first <= number:
            self._first, self._held = start, None
            self._following = self._file.iter_batches(HELD, row_groups=[group])
        with self._in_words():
            while self._held is None or number >= self._first + len(self._held):
                self._first += 0 if self._held is None else len(self._held)
                self._held = next(self._following)
        try:
            return self._held.slice(number - self._first, 1).to_pylist()[0]
        except (ValueError, OverflowError) as error:  # no UTF-8, a date beyond all years
            raise Unusable("its row cannot be read") from error

    def texts(self, column: str) -> Iterator[str | None]:
        """The cells of a column of texts, and of no other; None for one that is none."""
        from pyarrow import types

        kind = self._file.schema_arrow.field(column).type
        if not (types.is_string(kind) or types.is_large_string(kind)):
            return
        with self._in_words():
            for batch in self._file.iter_batches(TEXTS, columns=[column]):
                yield from map(_text, batch.column(0))

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # pyarrow raises half a dozen kinds
            raise ValueError(f"{self.path} cannot be read as Parquet: {error}") from error


def _text(cell: Any) -> str | None:
    try:
        return cell.as_py()
    except ValueError:  # no UTF-8
        return None
