"""Many images in one, to be looked at."""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def image_grid(
    bands: Sequence[np.ndarray], columns: int = 12, edge: int = 64, gap: int = 0
) -> Image.Image:
    """Images [N, H, W, 3] in rows of `columns`. Where there are several bands, image i of each is
    below image i of the one before: what was drawn, and what is true."""
    count = len(bands[0])
    columns = min(columns, count)
    rows = -(-count // columns)
    step = edge + gap
    size = columns * step - gap, rows * len(bands) * step - gap
    grid = Image.new("RGB", size, "white")
    for below, images in enumerate(bands):
        for i, image in enumerate(images):
            row = i // columns * len(bands) + below
            grid.paste(tile(Image.fromarray(image), edge), (i % columns * step, row * step))
    return grid


def tile(image: Image.Image, edge: int) -> Image.Image:
    """An image at `edge` pixels: enlarged so that each pixel shows, or reduced smoothly."""
    how = Image.Resampling.LANCZOS if image.width > edge else Image.Resampling.NEAREST
    return image.resize((edge, edge), how)
