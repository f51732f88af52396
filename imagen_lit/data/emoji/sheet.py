"""A sheet of a few things, each by all four artists, who are named below each picture."""

import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.captioned_grid import Captioned, captioned_grid
from imagen_lit.data.emoji import picture
from imagen_lit.data.emoji.artist import ARTISTS, Pictures
from imagen_lit.data.emoji.label import Label

THINGS = ("1F98A", "1F680", "1F353", "1F3E0", "1F9D1-200D-1F373", "1F602")  # a fox, a rocket, …
EDGE = 128  # pixels of a picture


def write(file: Path, pictures: Mapping[str, Pictures], labels: Mapping[str, Label]) -> None:
    """Write it as a small PNG: a row for each thing that all artists have drawn."""
    items = [
        Captioned([_image(pictures[name][code])], artist.credit, labels[code].text)
        for code in THINGS
        if code in labels and all(code in own for own in pictures.values())
        for name, artist in ARTISTS.items()
    ]
    if not items:
        return
    grid = captioned_grid(items, len(ARTISTS), EDGE)
    with atomic_write(file) as target:
        grid.save(target, "PNG", optimize=True)


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture.on_white(content, EDGE)))
