"""The rows of a table, as a source. Nothing is fetched from the network: that is img2dataset's job,
and its shards are read as they are."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file
from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.source import csv_file, json_lines
from imagen_lit.data.source.parquet import Parquet
from imagen_lit.data.source.sample import read, sample
from imagen_lit.data.transform import Unusable

SEPARATORS = (";", "\t", "|")  # of programs whose CSV is none


class Table:
    """The rows of a CSV, JSONL or Parquet file.

    `image` names the column of the image: its bytes (Parquet; also Hugging Face's {bytes, path}),
    or its path, relative to the table's folder and never leading out of it. `caption` names the
    column of the text. The other columns become metadata. A row that cannot be a sample is
    `Unusable`, and the others are not affected.
    """

    def __init__(self, path: str, image: str = "image", caption: str = "caption") -> None:
        self.path, self.image, self.caption = Path(path), image, caption
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no table {path}. Set source.path=... to one.")
        if self.path.suffix not in (".csv", ".jsonl", ".parquet"):
            raise InputError(f"{path} is not a .csv, .jsonl or .parquet file. Convert it to one.")
        if self.path.suffix != ".parquet":
            self._refuse_other_text()
        for column in (image, caption):
            if column not in self._columns:
                names = ", ".join(self._columns) or "none"
                raise InputError(
                    f"{path} has no column {column!r}, it has {names}. "
                    f"Set source.image=... and source.caption=... to two of these."
                )
        first = next(self._names(), None)
        if first and "://" in first:
            raise InputError(
                f"{path} names addresses ({first}). Fetch them with img2dataset, then set "
                "data/source=shards source.path=<its folder>."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "image": self.image, "caption": self.caption}

    def __len__(self) -> int:
        return len(self._parquet if self.path.suffix == ".parquet" else self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = dict(self._row(number))
        image, caption = _content(row.pop(self.image, None)), row.pop(self.caption, None)
        if isinstance(image, str) and image:
            row["path"] = image
            image = self._bytes(image)
        if not isinstance(image, bytes):
            raise Unusable("it has no image")
        return sample(number, image, caption, row)

    def state(self) -> list[Any]:
        """Size and time of the table, and of each file that it names."""
        root = self.path.parent
        return [
            *index_cache.file_stamp(self.path),
            *(name and _stamp(root / name) for name in self._names()),
        ]

    def _refuse_other_text(self) -> None:
        is_csv = self.path.suffix == ".csv"
        content = f"the line {self.image},{self.caption} and one line per image"
        content = content if is_csv else "one JSON object per image, each on a line of its own,"
        text_file.refuse_other_text(self.path, content)
        names = self._columns
        if not self._rows or not names:
            rows = "row below its first line" if is_csv else "line that is a JSON object"
            raise InputError(f"{self.path} has no {rows}. Write {content} into it.")
        others = [mark for mark in SEPARATORS if is_csv and mark in names[0]]
        if len(names) == 1 and others:
            raise InputError(
                f"{self.path} has {others[0]!r} between its columns, by its first line "
                f"{names[0]!r}, and only commas are read there. Convert it: save it with commas."
            )

    def _names(self) -> Iterator[str | None]:
        """The path of each row's image, None if it has none; nothing if the images themselves are
        in a Parquet file, which would have to be read for that."""
        if self.path.suffix == ".parquet":
            yield from self._parquet.texts(self.image)
            return
        for row in self._rows:
            name = _content((row or {}).get(self.image))
            yield name if isinstance(name, str) else None

    def _bytes(self, name: str) -> bytes:
        if "://" in name:
            raise Unusable("its image is an address, which only img2dataset fetches")
        root = self.path.parent.resolve()
        try:
            file = (root / name).resolve()
            missing = not file.is_file()
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, circular links
            raise Unusable("its path is not possible") from error
        if not file.is_relative_to(root):
            raise Unusable("its path leads out of the table's folder")
        if missing:
            raise Unusable("its file is missing")
        return read(file, "jpg")

    @cached_property
    def _columns(self) -> list[str]:
        if self.path.suffix == ".parquet":
            return self._parquet.names
        if self.path.suffix == ".csv":
            return [name for name in self._csv[0] if name]
        return list(dict.fromkeys(name for row in self._rows for name in row or () if name))

    @cached_property
    def _rows(self) -> list[dict[str, Any] | None]:
        """None for a row that cannot be read; bytes that are not UTF-8 are left for `sample`."""
        if self.path.suffix == ".csv":
            return self._csv[1]
        return json_lines.read(self.path)

    @cached_property
    def _csv(self) -> tuple[list[str], list[csv_file.Row]]:
        return csv_file.read(self.path)

    @cached_property
    def _parquet(self) -> Parquet:
        return Parquet(self.path)

    def _row(self, number: int) -> Mapping[str, Any]:
        if self.path.suffix == ".parquet":
            return self._parquet.row(number)
        row = self._rows[number]
        if row is None:
            raise Unusable("its row cannot be read")
        return row


def _content(cell: Any) -> Any:
    """Bytes or a path, also from Hugging Face's {bytes, path}."""
    return cell.get("bytes") or cell.get("path") if isinstance(cell, Mapping) else cell


def _stamp(file: Path) -> list[int] | None:
    try:
        return index_cache.file_stamp(file)
    except (OSError, ValueError):  # missing, too long, a NUL
        return None
