"""The images that were drawn here: a folder of PNG files, and nothing beside them.

What drew an image stands in its file, so the history is a list of files and survives everything.
An entry's number is a digest of its path below the folder: no address of a page leads elsewhere.

    <folder>/<digest of weights and recipes>/<stage>/<prompt>_seed<seed>.png
    <folder>/<the same>/painted/<digest>/<stage>/...    and picture.png, mask.png beside the stages
    <folder>/opened/<digest>.png                        what somebody brought
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError

OPENED, PAINTED, PICTURE, MASK = "opened", "painted", "picture.png", "mask.png"
LARGEST = 32 * 2**20  # bytes of a file that somebody brings
NEEDED = {"prompt": str, "seed": int, "stage": str, "cascade": dict, "text": dict}


@dataclass(frozen=True)
class Entry:
    """An image's file and what it says of itself."""

    number: str
    file: Path
    facts: Mapping[str, Any]

    @property
    def stages(self) -> dict[str, Path]:
        """The files of the stages that are there, the last one's too."""
        name = str(self.facts["stage"])
        if self.file.parent.name != name:
            return {name: self.file}
        tops = {
            each: self.file.parents[1] / each / self.file.name for each in self.facts["cascade"]
        }
        return {each: file for each, file in tops.items() if file.is_file()}

    def image(self) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return pixels.load_png(self.file)

    def painted(self) -> list[Path | None]:
        """The picture and the mask from which it was drawn, where they lie beside it."""
        files = (self.file.parents[1] / name for name in (PICTURE, MASK))
        return [file if file.is_file() else None for file in files]


class History:
    """The entries of a folder; `last` is the stage whose images it shows."""

    def __init__(self, folder: Path, last: str) -> None:
        self.folder, self.last = folder, last
        self._read: dict[tuple[Path, int], Entry | None] = {}  # by file and when it was written

    def entries(self) -> list[Entry]:
        """The newest first."""
        times = {}
        for file in self.folder.rglob("*.png"):
            top = file.relative_to(self.folder).parts[0]
            if top == OPENED or file.parent.name == self.last:
                times[file] = file.stat().st_mtime_ns
        newest = sorted(times, key=lambda file: (-times[file], str(file)))
        found = [self._entry(file, times[file]) for file in newest]
        return [entry for entry in found if entry is not None]

    def entry(self, number: str) -> Entry:
        """The one of this number."""
        for entry in self.entries():
            if entry.number == number:
                return entry
        raise InputError("there is no such image in the history. Reload the page.")

    def number(self, file: Path) -> str:
        """Of a file in the folder."""
        path = file.relative_to(self.folder).as_posix()
        return hashlib.sha256(path.encode()).hexdigest()[:16]

    def open(self, content: bytes) -> Entry:
        """Take a file that somebody brings, if it says what drew it."""
        try:
            with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
                facts = png_metadata.of(image.info)
                image.load()
        except (ValueError, OSError, SyntaxError, Image.DecompressionBombError):
            raise InputError("this is no PNG that can be read. Open one of our images.") from None
        refuse_incomplete(facts)
        file = self.folder / OPENED / f"{hashlib.sha256(content).hexdigest()[:12]}.png"
        with atomic_write(file) as out:
            out.write(content)
        return Entry(self.number(file), file, facts or {})

    def _entry(self, file: Path, time: int) -> Entry | None:
        if (file, time) not in self._read:
            facts = png_metadata.read(file)
            try:
                refuse_incomplete(facts)
                entry = Entry(self.number(file), file, facts or {})
            except InputError:
                entry = None
            self._read[file, time] = entry
        return self._read[file, time]


def refuse_incomplete(facts: Mapping[str, Any] | None) -> None:
    """Raise unless a file says what drew it."""
    if facts is None:
        raise InputError(
            "this PNG does not say what drew it, as every image of imagen_lit does. Open one of "
            "those, as it was written."
        )
    if isinstance(facts.get("seed"), list):
        raise InputError(
            "this PNG lies between two seeds, which this page has no form for. Draw it again with "
            "python -m imagen_lit.sample from=... and its file."
        )
    for name, kind in NEEDED.items():
        if type(facts.get(name)) is not kind:
            raise InputError(
                f"this PNG's facts have no {name}, as those of a single image do. Open one of the "
                "images of sample, or of this page."
            )
    stages = facts["cascade"]
    complete = facts["stage"] in stages and all(
        isinstance(each, dict) and isinstance(each.get("recipe"), dict) for each in stages.values()
    )
    if not complete:
        raise InputError("this PNG's facts lack a recipe. Open it as it was written.")
