"""Images as numbers in [-1, 1], as uint8, and as PNG files, and the conversions between the three.

Networks and samplers work in [-1, 1]; readers, viewers and files in uint8.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagen_lit.basics.atomic import atomic_write

if TYPE_CHECKING:  # reading a file needs no torch
    from torch import Tensor


def to_signed(images: "Tensor") -> "Tensor":
    """uint8 -> float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1.0)


def to_uint8(images: "Tensor") -> "Tensor":
    """[-1, 1] -> uint8, clipped, to the nearest grey level."""
    import torch

    return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_array(images: "Tensor") -> np.ndarray:
    """[..., 3, H, W] in [-1, 1] -> uint8 [..., H, W, 3] on the CPU."""
    return to_uint8(images).movedim(-3, -1).cpu().numpy()


def save_png(image: Image.Image, path: Path, texts: Mapping[str, str] | None = None) -> None:
    """Write a PNG file atomically, with text chunks inside (imagen_lit/basics/png_metadata.py)."""
    info = PngInfo()
    for key, text in (texts or {}).items():
        info.add_text(key, text)
    with atomic_write(path) as file:
        image.save(file, format="PNG", pnginfo=info)


def load_png(path: Path) -> np.ndarray:
    """A PNG file as uint8 [H, W, 3]."""
    with Image.open(path, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))
