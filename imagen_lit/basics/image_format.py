"""The formats of an image's file, by its suffix: PNG, WebP without loss, and JPEG, which is smaller
and changes pixels a little. Each holds what drew the image (imagen_lit/basics/png_metadata.py).
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagen_lit.basics import arguments, png_metadata
from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError

SUFFIXES = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
LOSSLESS = (".png", ".webp")
JPEG_QUALITY = 95


def suffix(name: Any) -> str:
    """Of the format of this name; others are refused."""
    return SUFFIXES[arguments.choice("format", name, SUFFIXES)]


def encode(image: Image.Image, suffix: str, texts: Mapping[str, str]) -> bytes:
    """The content of its file, the same for the same image."""
    content = io.BytesIO()
    if suffix == ".png":
        info = PngInfo()
        for key, text in texts.items():
            info.add_text(key, text)
        image.save(content, format="PNG", pnginfo=info)
    elif suffix == ".webp":
        exif = png_metadata.exif(texts)
        image.save(content, format="WEBP", lossless=True, exact=True, exif=exif)
    else:
        exif = png_metadata.exif(texts)
        if len(exif) > 65_000:  # what a JPEG has room for
            raise InputError(
                "a prompt is too long for a JPEG's own file. Set format=webp, for example."
            )
        image.save(content, format="JPEG", quality=JPEG_QUALITY, subsampling=0, exif=exif)
    return content.getvalue()


def save(image: Image.Image, file: Path, texts: Mapping[str, str]) -> None:
    """Write a file atomically, in the format of its suffix."""
    content = encode(image, file.suffix, texts)
    with atomic_write(file) as handle:
        handle.write(content)


def load(file: Path | io.BytesIO) -> np.ndarray:
    """The pixels of such a file, uint8 [H, W, 3]."""
    with Image.open(file, formats=png_metadata.FORMATS) as image:
        return np.asarray(image.convert("RGB"))
