"""From the bytes of an image file to a training image, uint8 [3, H, W].

Every function is pure; where a crop falls and whether an image is flipped is decided by the caller.
"""

import io

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

from imagen_lit.basics import arguments, reduction
from imagen_lit.basics.errors import InputError
from imagen_lit.data import exif

# Other formats are never tried: some of them start programs. Decoding takes up to 6, 12 and 20
# bytes a pixel (a progressive JPEG; with transparency), so none of these takes 200 MB. Only a JPEG
# decoded to a quarter of its side or more, as at 1024 pixels, is held whole, at 10 bytes a pixel.
MAX_PIXELS = {"JPEG": 32_000_000, "PNG": 16_000_000, "WEBP": 9_000_000}
MAX_SCANS = 100  # of a JPEG: each is a pass over all its pixels, and a genuine JPEG has a dozen
MIN_AVERAGED = 128  # pixels on a side: an image of this size or less is not averaged
LARGEST = 65536  # pixels of an edge


class Unusable(ValueError):
    """These bytes give no training image, and the message says why."""


def size(data: bytes) -> tuple[int, int]:
    """Width and height according to the header, or `Unusable`."""
    return _open(data).size


def decode(data: bytes, edge: int, orientation: int = 1) -> torch.Tensor:
    """An image with a shorter side of at least `edge`, or `Unusable`.

    If far fewer pixels are needed, a JPEG is decoded to fewer, and what is still large is averaged
    down at once, so that little memory is held. Both leave four times `edge`: for the demo's
    images at 256 -> 16 that costs two thirds of a full decode and stays within a third of a grey
    level; going down to twice `edge` would save little more, with three times the error.

    `orientation` (EXIF's, 1 to 8) is for an image that has lost its own.
    """
    image = _open(data)
    width, height = image.size
    if min(width, height) < edge:
        raise Unusable(f"it has {width} x {height} pixels, fewer than {edge} on a side")
    try:
        target = 4 * edge
        image.draft("RGB", (target, target))
        image.load()
        own = image.getexif().get(exif.TAG, 1)
        image = _on_white(_at_most(_eight_bits(image), max(target, MIN_AVERAGED)))
        image = exif.upright(image, own, orientation)
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise a dozen kinds of error
        raise Unusable(f"it cannot be decoded: {error}") from error
    # A permuted view on purpose: torch resizes bytes fastest with the channels last.
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _open(data: bytes) -> Image.Image:
    """Read the header and decode nothing: an image that lies about its size costs nothing."""
    try:
        image = Image.open(io.BytesIO(data), formats=tuple(MAX_PIXELS))
    except MemoryError:
        raise
    except UnidentifiedImageError as error:  # its words are the address of the bytes in memory
        raise Unusable("it cannot be decoded as PNG, JPEG or WebP") from error
    except Exception as error:
        raise Unusable(f"it cannot be decoded: {error}") from error
    (width, height), limit = image.size, MAX_PIXELS[image.format]  # type: ignore[index]
    if width * height > limit:
        raise Unusable(f"it has {width} x {height} pixels, more than {limit} in a {image.format}")
    if image.format == "JPEG" and (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise Unusable(f"it has {scans} scans, more than {MAX_SCANS}")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """As RGBA, RGB or L: images that can be averaged."""
    if image.mode.startswith("I;16"):  # `convert` would clip nearly all of it to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in "1L" else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _at_most(image: Image.Image, edge: int) -> Image.Image:
    """Averaged over the largest squares of pixels that leave a shorter side of `edge`."""
    factor = min(image.size) // edge
    return image.reduce(factor) if factor > 1 else image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: torch.Tensor, edge: int, kernel: str = "bicubic") -> torch.Tensor:
    """The whole image, its shorter side `edge` long.

    Of the methods measured (area, bilinear, bicubic; torch and Pillow) antialiased bicubic is as
    good as the best and costs least.
    """
    _, height, width = image.shape
    shorter = min(height, width)
    if shorter == edge:
        return image
    size = (round(height * edge / shorter), round(width * edge / shorter))
    if edge > shorter:  # only the true images beside a preview: nothing is trained on them
        return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0]
    return reduction.reduce(image[None], size, kernel)[0]


def centre(image: torch.Tensor, edge: int) -> torch.Tensor:
    """The square of `edge` in the middle."""
    _, height, width = image.shape
    return crop(image, edge, (height - edge) // 2, (width - edge) // 2)


def crop(image: torch.Tensor, edge: int, top: int, left: int) -> torch.Tensor:
    """The square of `edge` at (top, left)."""
    return image[:, top : top + edge, left : left + edge]


def refuse_size(size: int) -> None:
    """Raise unless images can have this edge."""
    if arguments.whole_number("data.size", size, 1) > LARGEST:
        raise InputError(
            f"data.size={size} is larger than {LARGEST}. Set data.size=64, for example."
        )


def refuse_crop(edge: int | None, size: int) -> None:
    """Raise an error if the crop is larger than the images, or no crop at all."""
    if edge is not None:
        arguments.whole_number("data.crop", edge, 1)
    if edge is not None and edge > size:
        raise InputError(
            f"data.crop={edge} is larger than data.size={size}. Set data.crop={size} or less, or "
            "data.crop=null for whole images."
        )


def flip(image: torch.Tensor) -> torch.Tensor:
    """Mirrored from left to right."""
    return image.flip(-1)
