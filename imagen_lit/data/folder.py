"""Pictures in a folder, each with its caption in a file beside it, as a source."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imagen_lit.data import shard
from imagen_lit.data.entry import read, sample
from imagen_lit.data.transform import Unusable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Folder:
    """Pictures anywhere below `path`, in linked folders too; the caption of `a.jpg` stands in
    `a.txt`, or in `a.json` under the name `caption`. Whatever else `a.json` says is kept with the
    sample."""

    def __init__(self, path: str, caption: str = "caption") -> None:
        self.root, self.caption = Path(path), caption
        if not self.root.is_dir():
            raise FileNotFoundError(f"There is no folder {path}: type source.path=...")
        self.files = sorted(
            file.relative_to(self.root).as_posix()
            for file in _files(self.root)
            if file.suffix.lower() in SUFFIXES and file.is_file()
        )
        if not self.files:
            raise FileNotFoundError(f"There are no pictures ({', '.join(SUFFIXES)}) below {path}.")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> dict[str, Any]:
        file = self.root / self.files[number]
        text, beside = file.with_suffix(".txt"), file.with_suffix(".json")
        known = _object(beside) if beside.is_file() else {}
        caption = _text(text) if text.is_file() else known.get(self.caption)
        return sample(number, read(file, "jpg"), caption, {**known, "path": self.files[number]})

    def state(self) -> list[list[Any]]:
        """Names, sizes and times of all files that the entries are made of."""
        files = [self.root / name for name in self.files]
        beside = [file.with_suffix(suffix) for file in files for suffix in (".txt", ".json")]
        return [
            [str(file.relative_to(self.root)), *shard.state(file)]
            for file in (*files, *(file for file in beside if file.is_file()))
        ]


def _files(root: Path) -> Iterator[Path]:
    """Every file, once: a folder that is linked to twice, or into itself, is not read again."""
    seen = set()
    for folder, inner, names in os.walk(root, followlinks=True):
        inner.sort()
        if (real := os.path.realpath(folder)) in seen:
            inner.clear()
            continue
        seen.add(real)
        yield from (Path(folder) / name for name in names)


def _text(file: Path) -> str:
    try:
        return read(file, "txt").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable("its caption is not UTF-8") from error


def _object(file: Path) -> dict[str, Any]:
    said = read(file, "json")
    try:
        known = json.loads(said)
    except (ValueError, RecursionError) as error:
        raise Unusable("its .json cannot be read") from error
    if not isinstance(known, dict):
        raise Unusable("its .json is not an object")
    return known
