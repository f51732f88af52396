"""The contact sheet of a folder: its images side by side, under each its prompt and its seed.

Both are read from the images' own metadata, so the sheet grows with the folder.
"""

import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from imagen_lit.basics import image_format, pixels, png_metadata
from imagen_lit.basics.captioned_grid import Captioned, captioned_grid
from imagen_lit.basics.short_form import quantity
from imagen_lit.basics.tile import tile

EDGE = 256  # pixels of an image on the sheet
COLUMNS, MOST = 6, 240  # images
EDIT = "edit"  # the fact that an image was drawn from a picture
SUFFIXES = image_format.SUFFIXES.values()


def refuse_other_file(sheet: Path) -> None:
    """Raise if a file of this name is no contact sheet of ours."""
    png_metadata.refuse_other_file(sheet, "sheet", "contact sheet")


def write(sheet: Path, first: Sequence[Path], given: Image.Image | None = None) -> int:
    """Write the sheet of these images and then the others in their folder, MOST at most, of the
    same edit if they are of one, each below what was given to it; return how many it shows."""
    there = {file for each in SUFFIXES for file in first[0].parent.glob(f"*{each}")}
    others = sorted(there - {*first})
    facts = ((file, png_metadata.read(file)) for file in dict.fromkeys([*first, *others]))
    drawn = ((file, fact) for file, fact in facts if fact and {"prompt", "seed"} <= {*fact})
    edit = (png_metadata.read(first[0]) or {}).get(EDIT)
    ours = list(islice(((file, fact) for file, fact in drawn if fact.get(EDIT) == edit), MOST))
    above = [] if given is None else [tile(given, EDGE)]
    items = [
        Captioned([*above, _tile(file)], fact["prompt"], f"seed {fact['seed']}")
        for file, fact in ours
    ]
    grid = captioned_grid(items, min(COLUMNS, math.ceil(math.sqrt(len(ours)))), EDGE)
    entries = [
        {"image": file.relative_to(sheet.parent).as_posix(), **_named(fact)} for file, fact in ours
    ]
    title = f"contact sheet of {quantity(len(ours), 'image')}"
    pixels.save_png(grid, sheet, png_metadata.texts({"sheet": entries}, title))
    return len(ours)


def _tile(file: Path) -> Image.Image:
    return tile(Image.fromarray(image_format.load(file)), EDGE)


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("prompt", "seed")}
