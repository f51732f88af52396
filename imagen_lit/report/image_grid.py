"""A grid of images in one file, for a README or a report."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from imagen_lit.basics import pixels


def write(files: Sequence[Path], columns: int, edge: int, target: Path) -> None:
    """Write images in rows, each enlarged to `edge` without smoothing, for a README or a report."""
    gap = 4
    rows = -(-len(files) // columns)
    sheet = Image.new("RGB", (columns * (edge + gap) - gap, rows * (edge + gap) - gap), "white")
    for i, file in enumerate(files):
        tile = Image.fromarray(pixels.load_png(file)).resize((edge, edge), Image.Resampling.NEAREST)
        sheet.paste(tile, ((i % columns) * (edge + gap), (i // columns) * (edge + gap)))
    pixels.save_png(sheet, target)
