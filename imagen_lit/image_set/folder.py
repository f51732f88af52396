"""A folder of images of any origin, as a set to be measured: what another system drew, what our own
cascade drew, or photographs.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from imagen_lit.basics import chosen_folder
from imagen_lit.basics.errors import InputError
from imagen_lit.data.prompts.file import TextFile
from imagen_lit.data.source.folder import SUFFIXES, files_below
from imagen_lit.image_set import file_prompts, image_file, numbering
from imagen_lit.image_set.file_prompts import ImagePrompt
from imagen_lit.image_set.image_file import Header
from imagen_lit.image_set.natural_order import natural_order

OTHERS = (".avif", ".bmp", ".gif", ".heic", ".jp2", ".jxl", ".ppm", ".tif", ".tiff")
Value = TypeVar("Value")


class Folder:
    """The images anywhere below `path` but for hidden ones, by the natural order of their names.

    Each file is read and hashed at once, and decoded when it is asked for. `prompts` names a text
    file with the prompts in that order; null: what the folder itself says (`file_prompts`), if it
    does. `seeds` and `categories` are None where the folder does not say them.
    """

    def __init__(self, path: str, prompts: str | None = None) -> None:
        self.root = chosen_folder.of("path", path)
        if not self.root.is_dir():
            raise FileNotFoundError(f"there is no folder {path}. Set path=... to one of images.")
        self.files = natural_order(self._image_names())
        if not self.files:
            raise InputError(
                f"there are no images ({', '.join(SUFFIXES)}) below {path}. Set path=... to a "
                "folder of them."
            )
        numbering.warn_of_gaps(self.root, self.files)
        self.headers: list[Header] = [image_file.header(self.root / name) for name in self.files]
        requests = self._requests(prompts)
        self.prompts: Sequence[str] | None = None
        self.seeds: Sequence[int] | None = None
        self.categories: Sequence[str] | None = None
        if requests is not None:
            self.prompts = [each.prompt for each in requests]
            self.seeds = _known([each.seed for each in requests])
            self.categories = _known([each.category for each in requests])

    def __len__(self) -> int:
        return len(self.files)

    def image(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3], as a viewer shows it (`image_file`)."""
        return image_file.pixels(self.root / self.files[number])

    def facts(self) -> Mapping[str, Any]:
        """The same wherever the folder lies."""
        return {
            "origin": "folder",
            "count": len(self),
            "size": _span([header.size for header in self.headers]),
            "format": ", ".join(sorted({header.format for header in self.headers})),
            "transparent": sum(header.is_transparent for header in self.headers),
            "preparation": image_file.PREPARATION,
            "sha256": self._digest(),
        }

    def _digest(self) -> str:
        """Of the files' content in their order, and of what they were asked to show."""
        total = hashlib.sha256(b"".join(header.sha256 for header in self.headers))
        for prompt in self.prompts or ():
            total.update(hashlib.sha256(prompt.encode()).digest())
        return total.hexdigest()

    def _image_names(self) -> Iterator[str]:
        for file in files_below(self.root):
            path, kind = file.relative_to(self.root), file.suffix.lower()
            if any(part.startswith(".") for part in path.parts) or not file.is_file():
                continue
            if kind in OTHERS:  # to leave it out would measure another set than the folder
                raise InputError(
                    f"{file} is an image of a kind that is not read ({', '.join(SUFFIXES)} are). "
                    "Convert it without loss, to .png, or remove it."
                )
            if kind in SUFFIXES:
                yield path.as_posix()

    def _requests(self, prompts: str | None) -> list[ImagePrompt] | None:
        if prompts is not None:
            return file_prompts.in_order(Path(prompts), TextFile(prompts).prompts, self.files)
        return file_prompts.of(self.root, self.files, self.headers)


def _known(values: Sequence[Value | None]) -> list[Value] | None:
    """The values, which `file_prompts` gives for all images or for none."""
    known = [value for value in values if value is not None]
    return known or None


def _span(sizes: Sequence[tuple[int, int]]) -> str:
    """The size, or between which sizes they are."""
    different = set(sizes)
    smallest, largest = min(different), max(different)
    if len(different) == 1:
        return f"{smallest[0]}x{smallest[1]}"
    ends = f"{smallest[0]}x{smallest[1]} to {largest[0]}x{largest[1]}"
    return f"{len(different)} sizes from {ends}"
