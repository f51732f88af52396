"""An image as a rater gets it: its pixels and nothing else.

What drew an image stands in its PNG file, and would give the systems away; so every image is
written anew, without metadata.
"""

import io
from pathlib import Path

from PIL import Image

BLOCKS = 16  # of a control, along its longer side


def encode(file: Path, edge: int | None, is_coarse: bool = False) -> bytes:
    """A PNG of these pixels, reduced or enlarged to a longer side of `edge`; `is_coarse`: in blocks
    that nobody takes for a photograph."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    if edge is not None and max(image.size) != edge:
        image = image.resize(_fit(image.size, edge), Image.Resampling.LANCZOS)
    if is_coarse:
        small = image.resize(_fit(image.size, BLOCKS), Image.Resampling.BOX)
        image = small.resize(image.size, Image.Resampling.NEAREST)
    image.info.clear()  # Pillow would write a colour profile or a comment again
    out = io.BytesIO()
    image.save(out, format="PNG", compress_level=1)
    return out.getvalue()


def _fit(size: tuple[int, int], edge: int) -> tuple[int, int]:
    return tuple(max(1, round(side * edge / max(size))) for side in size)  # type: ignore[return-value]
