"""An image file of any origin (PNG, JPEG, WebP): what its header says, and its pixels as a viewer
shows them.

Pixels are upright by their EXIF orientation, transparent ones lie on white, and grey, CMYK, palette
and 16 bits become 8-bit RGB. Nothing is resized.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from imagen_lit.basics import png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.data import exif, transform
from imagen_lit.data.source import sample
from imagen_lit.data.transform import Unusable

PREPARATION = "upright by EXIF, transparent on white, 8-bit RGB"
SIDEWAYS = range(5, 9)  # orientations that exchange width and height


class Header(NamedTuple):
    """What is known of a file before its pixels are decoded."""

    size: tuple[int, int]  # width and height
    format: str
    is_transparent: bool
    prompt: Any  # that a PNG of ours was drawn from, and its seed; None in others
    seed: Any
    sha256: bytes  # of the file


def header(file: Path) -> Header:
    """Refused with its name if it is none of these formats, or too large to decode safely."""
    try:
        data = sample.read(file, "png")
        transform.size(data)  # refuses what decoding would
        with Image.open(io.BytesIO(data), formats=tuple(transform.MAX_PIXELS)) as image:
            own = png_metadata.of(image.info) or {}
            width, height = image.size
            return Header(
                (height, width) if _is_sideways(image) else (width, height),
                str(image.format),
                image.has_transparency_data,
                own.get("prompt"),
                own.get("seed"),
                hashlib.sha256(data).digest(),
            )
    except (Unusable, OSError, ValueError, SyntaxError) as error:
        raise _refusal(file, error) from error


def pixels(file: Path) -> np.ndarray:
    """uint8 [H, W, 3]; refused with its name if it is cut short."""
    try:
        data = sample.read(file, "png")
        image = transform.decode(data, min(transform.size(data)))
    except (Unusable, OSError) as error:
        raise _refusal(file, error) from error
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def _is_sideways(image: Image.Image) -> bool:
    """Whether width and height are exchanged; only a PNG with EXIF is decoded to know that."""
    has_exif = image.format != "PNG" or "exif" in image.info
    return has_exif and image.getexif().get(exif.TAG, 1) in SIDEWAYS


def _refusal(file: Path, error: Exception) -> InputError:
    words = str(error).rstrip(".")
    return InputError(f"{file} is no image to use: {words}. Make it again, or remove it.")
