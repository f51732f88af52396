"""Images in a folder, each with its caption in a file beside it, as a source."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagen_lit.basics import chosen_folder
from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.source.sample import read, sample
from imagen_lit.data.transform import Unusable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Folder:
    """Images anywhere below `path`, in linked folders too; the caption of `a.jpg` is in `a.txt`, or
    in `a.json` under the name `caption`. Everything else in `a.json` becomes metadata."""

    def __init__(self, path: str, caption: str = "caption") -> None:
        self.root, self.caption = Path(path), caption
        chosen_folder.refuse_file("source.path", path, self.root)
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {path}. Set source.path=... to one.")
        self.files = sorted(
            file.relative_to(self.root).as_posix()
            for file in files_below(self.root)
            if file.suffix.lower() in SUFFIXES and file.is_file()
        )
        if not self.files:
            raise FileNotFoundError(
                f"there are no images ({', '.join(SUFFIXES)}) below {path}. "
                "Set source.path=... to a folder of them."
            )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> dict[str, Any]:
        file = self.root / self.files[number]
        text, json_file = file.with_suffix(".txt"), file.with_suffix(".json")
        metadata = _object(json_file) if json_file.is_file() else {}
        caption = _text(text) if text.is_file() else metadata.get(self.caption)
        return sample(number, read(file, "jpg"), caption, {**metadata, "path": self.files[number]})

    def state(self) -> list[list[Any]]:
        """Names, sizes and times of all files of the entries."""
        files = [self.root / name for name in self.files]
        beside = [file.with_suffix(suffix) for file in files for suffix in (".txt", ".json")]
        return [
            [str(file.relative_to(self.root)), *index_cache.file_stamp(file)]
            for file in (*files, *(file for file in beside if file.is_file()))
        ]


def files_below(root: Path) -> Iterator[Path]:
    """Every file, once: a folder that is linked to twice, or into itself, is not read again."""
    visited = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        inner.sort()
        if (real := os.path.realpath(folder)) in visited:
            inner.clear()
            continue
        visited.add(real)
        yield from (Path(folder) / name for name in names)


def _text(file: Path) -> str:
    try:
        return read(file, "txt").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable("its caption is not UTF-8") from error


def _object(file: Path) -> dict[str, Any]:
    text = read(file, "json")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable("its .json cannot be read") from error
    if not isinstance(metadata, dict):
        raise Unusable("its .json is not an object")
    return metadata
