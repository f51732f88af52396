"""How an image came about: a row for each stage, of what it took for the clean image at evenly
spread steps, from noise to the image. `<folder>/strips/<prompt>_seed<seed>.png`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from imagen_lit.basics import image_format, pixels, png_metadata
from imagen_lit.basics.tile import tile
from imagen_lit.cascade.file_name import file_name
from imagen_lit.cascade.start import Request

FOLDER = "strips"
EDGE, GAP = 128, 4  # pixels of an image in a strip, and between two


class DenoisingStrip:
    """`count` images of each stage; `plan`: how many steps each makes. Guided estimates, before
    their threshold, clipped to what can be shown."""

    def __init__(self, count: int, plan: Mapping[str, int]) -> None:
        self.steps = {name: chosen(count, steps) for name, steps in plan.items()}
        self._rows: dict[str, list[np.ndarray]] = {name: [] for name in plan}
        self._latest: Tensor | None = None

    def estimate(self, x: Tensor) -> None:
        """The clean estimates [B, 3, H, W] of an evaluation."""
        self._latest = x

    def step(self, stage: str, number: int) -> None:
        """A step has been made, with the latest estimates."""
        if self._latest is not None and number in self.steps[stage]:
            self._rows[stage].append(pixels.to_array(self._latest))

    def write(self, folder: Path, requests: Sequence[Request]) -> None:
        """A file for each image of the batch, and begin anew."""
        for place, request in enumerate(requests):
            rows = [[each[place] for each in row] for row in self._rows.values()]
            facts = {"strip": {"prompt": request[0], "seed": request[1], "steps": self.steps}}
            texts = png_metadata.texts(facts, request[0])
            image_format.save(_picture(rows), path(folder, request), texts)
        self._rows = {name: [] for name in self._rows}


def path(folder: Path, request: Request) -> Path:
    """The file of an image's strip."""
    return folder / FOLDER / file_name(*request)


def chosen(count: int, steps: int) -> list[int]:
    """The last of each of `count` equal parts of the steps; all, if there are no more."""
    return sorted({-(-steps * part // count) for part in range(1, count + 1)})


def _picture(rows: Sequence[Sequence[np.ndarray]]) -> Image.Image:
    columns, cell = max(map(len, rows)), EDGE + GAP
    sheet = Image.new("RGB", (columns * cell - GAP, len(rows) * cell - GAP), "white")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            sheet.paste(tile(Image.fromarray(image), EDGE), (x * cell, y * cell))
    return sheet
