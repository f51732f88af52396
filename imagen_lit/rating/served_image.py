"""An image as a rater gets it: its pixels and nothing else.

What drew an image stands in its PNG file, and would give the systems away; so every image is
written anew, without metadata.
"""

import io
from pathlib import Path

from PIL import Image, ImageOps

BLOCKS = 16  # of a control, along its longer side


def encode(file: Path, edge: int | None, is_coarse: bool = False) -> bytes:
    """A PNG of these pixels, reduced or enlarged to a longer side of `edge`; `is_coarse`: in blocks
    that nobody takes for a photograph."""
    image = _upright(file)
    if edge is not None and max(image.size) != edge:
        image = image.resize(_fit(image.size, edge), Image.Resampling.LANCZOS)
    if is_coarse:
        small = image.resize(_fit(image.size, BLOCKS), Image.Resampling.BOX)
        image = small.resize(image.size, Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=1)
    return out.getvalue()


def _upright(file: Path) -> Image.Image:
    """8-bit RGB as a viewer shows it: upright by EXIF, on white where it is transparent."""
    with Image.open(file) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _fit(size: tuple[int, int], edge: int) -> tuple[int, int]:
    return tuple(max(1, round(side * edge / max(size))) for side in size)  # type: ignore[return-value]
