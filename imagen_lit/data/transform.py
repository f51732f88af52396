"""From the bytes of a picture file to a training picture.

Pictures are uint8 [3, H, W] here, until `signed` makes them float32 in [-1, 1]. Every function is
pure; where a crop falls and whether a picture is mirrored is decided by the caller.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

# By format, the others are not asked: some of them start programs. Decoding takes up to 6, 12 and
# 20 bytes a pixel (a progressive JPEG; with transparency), so none of these takes 200 MB. Only a
# JPEG wanted at a quarter of its side or more, as at 1024 pixels, is held whole, at 10 a pixel.
MOST_PIXELS = {"JPEG": 32_000_000, "PNG": 16_000_000, "WEBP": 9_000_000}
SCANS = 100  # of a JPEG: each is a pass over all its pixels, and an honest one has a dozen
FEW = 128  # pixels on a side: a picture of no more is not averaged
ORIENTATION = 0x0112  # Exif's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unusable(ValueError):
    """These bytes give no training picture, and the words say why."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height as the header says, or `Unusable`."""
    return _opened(data).size


def decode(data: bytes, edge: int, orientation: int = 1) -> torch.Tensor:
    """A picture with a shorter side of at least `edge`, or `Unusable`.

    Where far fewer pixels are wanted, JPEG is decoded to fewer, and what is still large is averaged
    down at once, so that little memory is held. Both leave four times `edge`: for the demo's
    pictures at 256 -> 16 that costs two thirds of a full decode and stays within a third of a grey
    level; down to twice `edge` would save little more and err three times as much.

    `orientation` (Exif's, 1 to 8) is what somebody else remembers of a picture that has lost its
    own.
    """
    image = _opened(data)
    width, height = image.size
    if min(width, height) < edge:
        raise Unusable(f"it has {width} x {height} pixels, fewer than {edge} on a side")
    try:
        enough = 4 * edge
        image.draft("RGB", (enough, enough))
        image.load()
        own = image.getexif().get(ORIENTATION, 1)
        image = _on_white(_at_most(_eight_bits(image), max(enough, FEW)))
        if turn := TURNS.get(orientation if own == 1 else own):
            image = image.transpose(turn)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise a dozen kinds
        raise Unusable(f"it cannot be decoded: {error}") from error
    # A permuted view on purpose: torch resizes bytes fastest with the channels last.
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _opened(data: bytes) -> Image.Image:
    """The header read, and nothing decoded: a picture that lies about its size costs nothing."""
    try:
        image = Image.open(io.BytesIO(data), formats=tuple(MOST_PIXELS))
    except MemoryError:
        raise
    except Exception as error:
        raise Unusable(f"it cannot be decoded: {error}") from error
    (width, height), most = image.size, MOST_PIXELS[image.format]  # type: ignore[index]
    if width * height > most:
        raise Unusable(f"it has {width} x {height} pixels, more than {most} in a {image.format}")
    if image.format == "JPEG" and (scans := data.count(b"\xff\xda")) > SCANS:
        raise Unusable(f"it has {scans} scans, more than {SCANS}")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """As RGBA, RGB or L: pictures that can be averaged."""
    if image.mode.startswith("I;16"):  # `convert` would clip nearly all of it to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in "1L" else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _at_most(image: Image.Image, edge: int) -> Image.Image:
    """Averaged over squares of pixels, as large as leave a shorter side of `edge`."""
    factor = min(image.size) // edge
    return image.reduce(factor) if factor > 1 else image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(picture: torch.Tensor, edge: int) -> torch.Tensor:
    """The whole picture, its shorter side `edge` long: bicubic, and without aliasing.

    Of the ways measured (area, bilinear, bicubic; torch and Pillow) this is as good as the best and
    costs least.
    """
    _, height, width = picture.shape
    shorter = min(height, width)
    if shorter == edge:
        return picture
    size = (round(height * edge / shorter), round(width * edge / shorter))
    return F.interpolate(picture[None], size, mode="bicubic", antialias=True)[0]


def centre(picture: torch.Tensor, edge: int) -> torch.Tensor:
    """The square of `edge` in the middle."""
    _, height, width = picture.shape
    return crop(picture, edge, (height - edge) // 2, (width - edge) // 2)


def crop(picture: torch.Tensor, edge: int, top: int, left: int) -> torch.Tensor:
    return picture[:, top : top + edge, left : left + edge]


def refuse_crop(edge: int | None, size: int) -> None:
    if edge is not None and edge > size:
        raise ValueError(
            f"crop={edge} does not fit into pictures of size={size}: type data.crop={size} or "
            "less, or data.crop=null for whole pictures"
        )


def mirror(picture: torch.Tensor) -> torch.Tensor:
    return picture.flip(-1)


def signed(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return pictures.float().div_(127.5).sub_(1.0)
