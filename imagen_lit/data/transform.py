"""From the bytes of a picture file to a training picture.

Pictures are uint8 [3, H, W] here, until `signed` makes them float32 in [-1, 1]. Every function is
pure; where a crop falls and whether a picture is mirrored is decided by the caller.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")  # the others are not asked: some of them start programs
MOST_PIXELS = 50_000_000
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

    JPEG can skip work when far fewer pixels are wanted. It does so here down to four times `edge`:
    for the demo's pictures at 256 -> 16 that costs two thirds of a full decode and stays within a
    third of a grey level; down to twice `edge` would save little more and err three times as much.

    `orientation` (Exif's, 1 to 8) is what somebody else remembers of a picture that has lost its
    own.
    """
    image = _opened(data)
    width, height = image.size
    if min(width, height) < edge:
        raise Unusable(f"it has {width} x {height} pixels, fewer than {edge} on a side")
    try:
        image.draft("RGB", (4 * edge, 4 * edge))
        if orientation in TURNS and image.getexif().get(ORIENTATION, 1) == 1:
            image = image.transpose(TURNS[orientation])
        else:
            image = ImageOps.exif_transpose(image)
        image = _on_white(image)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise a dozen kinds
        raise Unusable(f"it cannot be decoded: {error}") from error
    # A permuted view on purpose: torch resizes bytes fastest with the channels last.
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _opened(data: bytes) -> Image.Image:
    """The header read, and nothing decoded: a picture that lies about its size costs nothing."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except Exception as error:
        raise Unusable(f"it cannot be decoded: {error}") from error
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Unusable(f"it has {width} x {height} pixels, more than {MOST_PIXELS}")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # `convert` would clip nearly all of it to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


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


def mirror(picture: torch.Tensor) -> torch.Tensor:
    return picture.flip(-1)


def signed(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return pictures.float().div_(127.5).sub_(1.0)
