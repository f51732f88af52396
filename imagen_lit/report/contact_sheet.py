"""The contact sheet of a folder: its images side by side, under each its prompt and its seed.

Both are read from the images' own metadata, so the sheet grows with the folder.
"""

import math
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.image_grid import tile
from imagen_lit.basics.short_form import quantity

EDGE, GAP = 256, 16  # pixels of an image on the sheet, and between two
COLUMNS, MOST = 6, 240  # images
LINES, LINE = 5, 18  # of a caption, at most; pixels of a line


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu, which has the letters of most alphabets, and lies in matplotlib's own data."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 13)


def refuse_other_file(sheet: Path) -> None:
    """Raise if a file of this name is no contact sheet of ours."""
    if sheet.exists() and "sheet" not in (png_metadata.read(sheet) or {}):
        raise InputError(
            f"{sheet} is no contact sheet of imagen_lit, and would be lost. "
            "Rename it, or choose another folder with out=..."
        )


def write(sheet: Path, first: Sequence[Path]) -> int:
    """Write the sheet of these images and then the others in their folder, MOST at most; return how
    many it shows."""
    others = sorted({*first[0].parent.glob("*.png")} - {*first})
    facts = ((file, png_metadata.read(file)) for file in dict.fromkeys([*first, *others]))
    ours = list(islice(((file, fact) for file, fact in facts if fact and "prompt" in fact), MOST))
    columns = min(COLUMNS, math.ceil(math.sqrt(len(ours))))
    rows = [ours[start : start + columns] for start in range(0, len(ours), columns)]
    captions = [[_caption(fact) for _, fact in row] for row in rows]
    heights = [EDGE + GAP + LINE * max(len(lines) for lines in row) for row in captions]
    sheet_image = Image.new("RGB", (GAP + columns * (EDGE + GAP), GAP + sum(heights)), "white")
    pen, y = ImageDraw.Draw(sheet_image), GAP
    for row, texts, height in zip(rows, captions, heights, strict=True):
        for column, ((file, _), lines) in enumerate(zip(row, texts, strict=True)):
            x = GAP + column * (EDGE + GAP)
            sheet_image.paste(tile(Image.fromarray(pixels.load_png(file)), EDGE), (x, y))
            for number, line in enumerate(lines):
                colour = "#777" if line is lines[-1] else "#111"
                pen.text((x, y + EDGE + 3 + number * LINE), line, colour, _font())
        y += height
    entries = [
        {"image": file.relative_to(sheet.parent).as_posix(), **_named(fact)} for file, fact in ours
    ]
    title = f"contact sheet of {quantity(len(ours), 'image')}"
    pixels.save_png(sheet_image, sheet, png_metadata.texts({"sheet": entries}, title))
    return len(ours)


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("prompt", "seed")}


def _caption(facts: dict[str, Any]) -> list[str]:
    """The prompt in lines as wide as an image, then the seed."""
    lines: list[str] = []
    rest = " ".join(facts["prompt"].split()) or "(without text)"
    while rest and len(lines) < LINES - 1:
        line = _fitting(rest)
        lines.append(line.strip())
        rest = rest[len(line) :].strip()
    if rest:
        lines[-1] = lines[-1][:-1] + "…"
    return [*lines, f"seed {facts['seed']}"]


def _fitting(text: str) -> str:
    """The most words that fit into a line; of a longer word, the most letters."""
    length = min(len(text), 120)
    while _font().getlength(text[:length]) > EDGE:
        length -= 1
    if length == len(text) or " " not in text[: length + 1]:
        return text[:length]
    return text[: text[: length + 1].rindex(" ")]
