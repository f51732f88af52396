"""The rows of a table, as a source. Nothing is fetched from the network: that is img2dataset's
work, whose shards are read as they are."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from imagen_lit.data import shard
from imagen_lit.data.entry import sample
from imagen_lit.data.transform import Unusable


class Table:
    """The rows of a CSV, JSONL or Parquet file.

    `image` names the column of the picture: its bytes (Parquet; also Hugging Face's {bytes, path}),
    or its path, counted from the table's folder and never leading out of it. `caption` names the
    column of the text. The other columns are kept with the sample. A row that cannot be a sample is
    `Unusable`, and the others are not.
    """

    def __init__(self, path: str, image: str = "image", caption: str = "caption") -> None:
        self.path, self.image, self.caption = Path(path), image, caption
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no table {path}: type source.path=...")
        if self.path.suffix not in (".csv", ".jsonl", ".parquet"):
            raise ValueError(f"{path} is none of .csv, .jsonl and .parquet.")
        for column in (image, caption):
            if column not in self._columns:
                has = ", ".join(self._columns) or "none"
                raise ValueError(
                    f"{path} has no column {column!r}, it has {has}: "
                    f"type source.image=... source.caption=..."
                )
        with suppress(Unusable):
            first = self._row(0).get(image) if len(self) else None
            if isinstance(first, str) and "://" in first:
                raise ValueError(
                    f"{path} names addresses ({first}): fetch them with img2dataset, then type "
                    "data/source=shards source.path=<its folder>"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "image": self.image, "caption": self.caption}

    def __len__(self) -> int:
        return (
            self._parquet.metadata.num_rows if self.path.suffix == ".parquet" else len(self._rows)
        )

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = dict(self._row(number))
        image, caption = row.pop(self.image, None), row.pop(self.caption, None)
        if isinstance(image, Mapping):
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str) and image:
            row["path"] = image
            image = self._bytes(image)
        if not isinstance(image, bytes):
            raise Unusable("it has no picture")
        return sample(number, image, caption, row)

    def state(self) -> list[int]:
        """Size and time of the table; the pictures it names are taken to stay."""
        return shard.state(self.path)

    def _bytes(self, name: str) -> bytes:
        if "://" in name:
            raise Unusable("its picture is an address, which only img2dataset fetches")
        root = self.path.parent.resolve()
        try:
            file = (root / name).resolve()
            missing = not file.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links
            raise Unusable("its path can be none") from error
        if not file.is_relative_to(root):
            raise Unusable("its path leads out of the table's folder")
        if missing:
            raise Unusable("its file is missing")
        return file.read_bytes()

    @cached_property
    def _columns(self) -> list[str]:
        if self.path.suffix == ".parquet":
            return list(self._parquet.schema_arrow.names)
        return list(dict.fromkeys(name for row in self._rows for name in row or () if name))

    @cached_property
    def _rows(self) -> list[dict[str, Any] | None]:
        """None for a row that cannot be read; bytes that are no UTF-8 stay, to be noticed later."""
        read = _csv if self.path.suffix == ".csv" else _jsonl
        with self.path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return list(read(file))

    @cached_property
    def _parquet(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ValueError(
                f"{self.path} needs pyarrow to be read: type pip install 'imagen-lit[parquet]'"
            ) from error
        with self._in_words():
            return parquet.ParquetFile(self.path)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # pyarrow raises half a dozen kinds
            raise ValueError(f"{self.path} cannot be read as Parquet: {error}") from error

    @cached_property
    def _group_ends(self) -> list[int]:
        meta, ends = self._parquet.metadata, []
        for group in range(meta.num_row_groups):
            ends.append(meta.row_group(group).num_rows + (ends[-1] if ends else 0))
        return ends

    def _row(self, number: int) -> Mapping[str, Any]:
        if self.path.suffix != ".parquet":
            if self._rows[number] is None:
                raise Unusable("its row cannot be read")
            return self._rows[number]
        group = next(i for i, end in enumerate(self._group_ends) if number < end)
        if getattr(self, "_open", (None, None))[0] != group:  # neighbours come from one group
            with self._in_words():
                self._open = (group, self._parquet.read_row_group(group))
        start = self._group_ends[group - 1] if group else 0
        try:
            return self._open[1].slice(number - start, 1).to_pylist()[0]
        except (ValueError, OverflowError) as error:  # no UTF-8, a date beyond all years
            raise Unusable("its row cannot be read") from error


def _csv(file: TextIO) -> Iterator[dict[str, Any] | None]:
    rows = csv.DictReader(file)
    while True:
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error:  # a cell without end; the next line begins a row again
            yield None


def _jsonl(file: TextIO) -> Iterator[dict[str, Any] | None]:
    for line in file:
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else None
