"""A shard: one WebDataset tar of samples, written and read.

A sample is `<key>.jpg` (or png, webp), `<key>.txt` (its caption) and, optionally, `<key>.json` (its
metadata). `write(path, samples)` makes a shard; `Shard(path)` reads any row of one with `pread`, so
training needs neither tarfile nor webdataset.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import shorten
from imagen_lit.data.shard_files import metadata, tar
from imagen_lit.data.shard_files.shard_index import index

KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
IMAGE, CAPTION, JSON = range(3)  # columns of the index
ORIGIN = ("path", "url")  # in a .json: of a folder's file; of an image that img2dataset fetched


class Shard:
    """One tar, open for reading; rows are in the order of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = index(path)
        self._descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return len(self.index.keys)

    def key(self, row: int) -> str:
        """The sample's name."""
        return self.index.keys[row].decode()

    def title(self, row: int) -> str:
        """The key, and the user's own name of the image where the .json has it: path or address."""
        known = self.metadata(row)
        own = next((known[name] for name in ORIGIN if isinstance(known.get(name), str)), "")
        return f"{self.key(row)!r}" + (f" ({shorten(printable(own))})" if own else "")

    def image(self, row: int) -> bytes:
        """The bytes of the image file."""
        return self._member(row, IMAGE)

    def caption(self, row: int) -> str:
        """The text."""
        return self._member(row, CAPTION).decode()

    def orientation(self, row: int) -> int:
        """The EXIF orientation of an image that has lost its own; 1 if none is recorded."""
        return int(self.index.orientations[row])

    def metadata(self, row: int) -> dict[str, Any]:
        """What the .json says, or an empty dictionary."""
        has_json = self.index.sizes[row, JSON] >= 0
        return metadata.parse(self._member(row, JSON)) if has_json else {}

    def _member(self, row: int, column: int) -> bytes:
        offset, size = int(self.index.offsets[row, column]), int(self.index.sizes[row, column])
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise InputError(
                f"{self.path} was truncated while it was read, at byte {offset}. Restore the whole "
                "file, then type the same command."
            )
        return data


def write(path: Path, samples: Iterable[dict[str, Any]]) -> None:
    """Write samples {key, image (bytes), extension, caption, metadata}; the same samples give the
    same tar, byte for byte."""
    from webdataset import TarWriter  # here, so that reading does not need it

    keys = set()
    with atomic_write(path) as file, TarWriter(file, encoder=False, mtime=0.0) as writer:
        for sample in samples:
            key, extension = sample["key"], sample["extension"]
            if not KEY.fullmatch(key) or key in keys:
                raise InputError(
                    f"key {key!r} cannot be written to {path}. A key is unique and made of at most "
                    "80 letters, digits, '_' and '-'. Rename it."
                )
            if extension not in tar.IMAGES:
                raise InputError(
                    f"sample {key} is a .{extension}. Allowed are {', '.join(tar.IMAGES)}. "
                    "Convert it."
                )
            keys.add(key)
            json_text = json.dumps(sample["metadata"], sort_keys=True).encode()
            members = {extension: sample["image"], "txt": sample["caption"].encode()}
            members["json"] = json_text
            for kind, data in members.items():
                if len(data) > tar.LIMIT[kind]:
                    raise InputError(
                        f"'{key}.{kind}' for {path} has {len(data)} bytes. A .{kind} may have "
                        f"{tar.LIMIT[kind]}. Make it smaller, or leave it out."
                    )
            writer.write({"__key__": key, **members})
