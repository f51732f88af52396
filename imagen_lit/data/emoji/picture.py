"""A picture of an artist becomes a PNG on white: a drawing in SVG at any size, a WebP at its own or
smaller, because enlarging invents nothing."""

import io
from types import ModuleType

from PIL import Image

from imagen_lit.basics.errors import InputError
from imagen_lit.data.transform import Unusable

LARGEST = 2048  # pixels of an edge that is drawn


def renderer() -> ModuleType:
    """What draws SVG; refused where it is not installed."""
    try:
        import resvg_py
    except ImportError as error:
        message = "drawings in SVG need resvg-py. Type pip install 'imagen-lit[pictures]'."
        raise InputError(message) from error
    return resvg_py


def on_white(picture: bytes, size: int) -> bytes:
    """PNG of at most `size` pixels on a side, without transparency."""
    image = _draw(picture, size) if picture.startswith(b"<svg") else _open(picture)
    if image.width > size:
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _draw(drawing: bytes, size: int) -> Image.Image:
    if b"<image" in drawing:
        raise Unusable("it refers to another file")
    png = renderer().svg_to_bytes(
        svg_string=drawing.decode(),
        width=size,
        height=size,
        skip_system_fonts=True,  # the same on every machine
    )
    return _flat(Image.open(io.BytesIO(png), formats=("PNG",)))


def _open(picture: bytes) -> Image.Image:
    try:
        return _flat(Image.open(io.BytesIO(picture), formats=("WEBP",)))
    except OSError as error:
        raise Unusable("it cannot be decoded") from error


def _flat(image: Image.Image) -> Image.Image:
    """On white, and square: a drawing that is not gets margins of equal width."""
    image = image.convert("RGBA")
    edge = max(image.size)
    white = Image.new("RGBA", (edge, edge), "white")
    white.alpha_composite(image, ((edge - image.width) // 2, (edge - image.height) // 2))
    return white.convert("RGB")
