"""The rows of a table, as a source. Nothing is fetched from the network: that is img2dataset's
work, whose shards are read as they are."""

import csv
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from imagen_lit.data.entry import sample
from imagen_lit.data.transform import Unusable


class Table:
    """The rows of a CSV, JSONL or Parquet file.

    `image` names the column of the picture: its bytes (Parquet; also Hugging Face's {bytes, path}),
    or its path, counted from the table's folder and never leading out of it. `caption` names the
    column of the text. The other columns are kept with the sample.
    """

    def __init__(self, path: str, image: str = "image", caption: str = "caption") -> None:
        self.path, self.image, self.caption = Path(path), image, caption
        if not self.path.is_file():
            raise FileNotFoundError(f"There is no table {path}: type source.path=...")
        if self.path.suffix not in (".csv", ".jsonl", ".parquet"):
            raise ValueError(f"{path} is none of .csv, .jsonl and .parquet.")
        for column in (image, caption):
            if column not in self._columns:
                raise ValueError(
                    f"{path} has no column {column!r}, it has {', '.join(self._columns)}: "
                    f"type source.image=... source.caption=..."
                )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "image": self.image, "caption": self.caption}

    def __len__(self) -> int:
        return (
            self._parquet.metadata.num_rows if self.path.suffix == ".parquet" else len(self._rows)
        )

    def __getitem__(self, number: int) -> dict[str, Any]:
        row = dict(self._row(number))
        image, caption = row.pop(self.image), row.pop(self.caption)
        if isinstance(image, Mapping):
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str):
            row["path"] = image
            image = self._bytes(image)
        if not isinstance(image, bytes):
            raise Unusable("it has no picture")
        return sample(number, image, caption, row)

    def _bytes(self, name: str) -> bytes:
        if "://" in name:
            raise ValueError(
                f"{self.path} names the address {name}: fetch it with img2dataset, then type "
                "build_shards source=shards source.path=..."
            )
        root = self.path.parent.resolve()
        file = (root / name).resolve()
        if not file.is_relative_to(root):
            raise ValueError(f"{self.path} names {name}, which lies outside of {root}.")
        if not file.is_file():
            raise Unusable("its file is missing")
        return file.read_bytes()

    @cached_property
    def _columns(self) -> list[str]:
        if self.path.suffix == ".parquet":
            return list(self._parquet.schema_arrow.names)
        return list(self._rows[0]) if self._rows else []

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        with self.path.open(newline="") as file:
            if self.path.suffix == ".csv":
                return list(csv.DictReader(file))
            rows = []
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise ValueError(f"{self.path}, line {number}: {error}.") from error
                if not isinstance(row, dict):
                    raise ValueError(f"{self.path}, line {number} is not a JSON object.")
                rows.append(row)
            return rows

    @cached_property
    def _parquet(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ValueError(
                f"{self.path} needs pyarrow to be read: type pip install 'imagen-lit[parquet]'"
            ) from error
        return parquet.ParquetFile(self.path)

    @cached_property
    def _group_ends(self) -> list[int]:
        meta, ends = self._parquet.metadata, []
        for group in range(meta.num_row_groups):
            ends.append(meta.row_group(group).num_rows + (ends[-1] if ends else 0))
        return ends

    def _row(self, number: int) -> Mapping[str, Any]:
        if self.path.suffix != ".parquet":
            return self._rows[number]
        group = next(i for i, end in enumerate(self._group_ends) if number < end)
        if getattr(self, "_open", (None, None))[0] != group:  # neighbours come from one group
            self._open = (group, self._parquet.read_row_group(group))
        start = self._group_ends[group - 1] if group else 0
        return self._open[1].slice(number - start, 1).to_pylist()[0]
