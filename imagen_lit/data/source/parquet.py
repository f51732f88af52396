"""The rows of a Parquet file, a few in memory at once: one row group can be gigabytes."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.data.transform import Unusable

ROWS = 16  # in a batch; rows are read mostly in order
CELLS = 1024  # in a batch when only one column is read


class Parquet:
    """An open file: `names` of the columns, `row(number)`, `texts(column)`, `cells(column)`."""

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import parquet
        except ImportError as error:
            message = f"{path} needs pyarrow. Type pip install 'imagen-lit[parquet]'."
            raise InputError(message) from error
        self.path = path
        with self._errors_in_words():
            self._file = parquet.ParquetFile(path)
            self.names = list(self._file.schema_arrow.names)
            meta = self._file.metadata
            groups = range(meta.num_row_groups)
            self._ends = list(accumulate(meta.row_group(group).num_rows for group in groups))
        self._first, self._batch, self._batches = 0, None, iter(())

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> dict[str, Any]:
        """One row; the batch around it stays in memory for the next."""
        group = bisect_right(self._ends, number)
        start = self._ends[group - 1] if group else 0
        if self._batch is None or not start <= self._first <= number:
            self._first, self._batch = start, None
            self._batches = self._file.iter_batches(ROWS, row_groups=[group])
        with self._errors_in_words():
            while self._batch is None or number >= self._first + len(self._batch):
                self._first += 0 if self._batch is None else len(self._batch)
                self._batch = next(self._batches)
        try:
            return self._batch.slice(number - self._first, 1).to_pylist()[0]
        except (ValueError, OverflowError) as error:  # not UTF-8, a date out of range
            raise Unusable("its row cannot be read") from error

    def texts(self, column: str) -> Iterator[str | None]:
        """The cells of a text column, None for one that is not UTF-8; nothing for other columns."""
        from pyarrow import types

        kind = self._file.schema_arrow.field(column).type
        if not (types.is_string(kind) or types.is_large_string(kind)):
            return
        yield from self.cells(column)

    def cells(self, column: str) -> Iterator[Any]:
        """The cells of a column of any kind, None for a text that is not UTF-8."""
        with self._errors_in_words():
            for batch in self._file.iter_batches(CELLS, columns=[column]):
                yield from map(_value, batch.column(0))

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # pyarrow raises half a dozen kinds
            raise InputError(
                f"{self.path} cannot be read as Parquet ({error}). Make or copy it again."
            ) from error


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except ValueError:  # not UTF-8
        return None
