"""Images side by side, each with its words below: what a person looks at."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from imagen_lit.basics.tile import tile

GAP = 16  # pixels between two images
LINES, LINE = 5, 18  # of a caption, at most; pixels of a line
DARK, GREY = "#111", "#777"


class Captioned(NamedTuple):
    """Images of one caption, one below the other (what was drawn, and what is true), and a note."""

    images: Sequence[Image.Image]
    caption: str
    note: str


def captioned_grid(items: Sequence[Captioned], columns: int, edge: int) -> Image.Image:
    """All of them in rows of `columns`, each image at `edge` pixels."""
    columns = min(columns, len(items))
    rows = [items[start : start + columns] for start in range(0, len(items), columns)]
    words = [[_lines(item, edge) for item in row] for row in rows]
    stack = edge * len(items[0].images)
    heights = [stack + GAP + LINE * max(len(lines) for lines in row) for row in words]
    grid = Image.new("RGB", (GAP + columns * (edge + GAP), GAP + sum(heights)), "white")
    pen, y = ImageDraw.Draw(grid), GAP
    for row, texts, height in zip(rows, words, heights, strict=True):
        for column, (item, lines) in enumerate(zip(row, texts, strict=True)):
            x = GAP + column * (edge + GAP)
            for number, image in enumerate(item.images):
                grid.paste(tile(image, edge), (x, y + number * edge))
            for number, line in enumerate(lines):
                colour = GREY if line is lines[-1] else DARK
                pen.text((x, y + stack + 3 + number * LINE), line, colour, _font())
        y += height
    return grid


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu, which has the letters of most alphabets, and lies in matplotlib's own data."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 13)


def _lines(item: Captioned, width: int) -> list[str]:
    """The caption in lines as wide as an image, then the note."""
    lines: list[str] = []
    rest = " ".join(item.caption.split()) or "(without text)"
    while rest and len(lines) < LINES - 1:
        line = _fitting(rest, width)
        lines.append(line.strip())
        rest = rest[len(line) :].strip()
    if rest:
        lines[-1] = lines[-1][:-1] + "…"
    return [*lines, item.note]


def _fitting(text: str, width: int) -> str:
    """The most words that fit into a line; of a longer word, the most letters."""
    length = min(len(text), 120)
    while _font().getlength(text[:length]) > width:
        length -= 1
    if length == len(text) or " " not in text[: length + 1]:
        return text[:length]
    return text[: text[: length + 1].rindex(" ")]
