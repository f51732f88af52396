"""Many images in one, to be looked at."""

from collections.abc import Sequence

import numpy as np
from PIL import Image


def image_grid(images: Sequence[np.ndarray], columns: int, edge: int, gap: int = 0) -> Image.Image:
    """Images [H, W, 3] in rows of `columns`, each at `edge` pixels."""
    columns = min(columns, len(images))
    step = edge + gap
    size = columns * step - gap, -(-len(images) // columns) * step - gap
    grid = Image.new("RGB", size, "white")
    for number, image in enumerate(images):
        place = number % columns * step, number // columns * step
        grid.paste(tile(Image.fromarray(image), edge), place)
    return grid


def tile(image: Image.Image, edge: int) -> Image.Image:
    """An image at `edge` pixels: enlarged so that each pixel shows, or reduced smoothly."""
    how = Image.Resampling.LANCZOS if image.width > edge else Image.Resampling.NEAREST
    return image.resize((edge, edge), how)
