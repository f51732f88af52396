"""Images whose contrast, colour and likeness can be worked out by hand."""

import math
from collections.abc import Iterator

import numpy as np

from imagen_lit.metrics.colour import chroma, colourfulness
from imagen_lit.metrics.contrast import contrast
from imagen_lit.metrics.low_res_consistency import psnr

BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def known_images() -> Iterator[tuple[str, float, float]]:
    """Each value's name, what it has to be, and what it is here."""
    image = np.array([[BLACK, WHITE, RED, RED]] * 8, np.uint8).repeat(2, axis=1)
    black, white, reach = contrast(image, 0.05, 0.01)
    yield "near_black of an image that is a quarter black", 0.25, black
    yield "near_white of one that is a quarter white", 0.25, white
    yield "luminance_range from black to white", 1.0, reach
    yield "chroma of an image that is half red", 0.5, chroma(image)
    # R - G is 255 in a half and (R + G)/2 - B is 127.5 there: mean and deviation are half of each.
    yield "colourfulness of it", 1.3 * math.hypot(127.5, 63.75), colourfulness(image)
    flat, small = (np.full((side, side, 3), grey, np.uint8) for side, grey in ((8, 100), (4, 110)))
    yield "psnr of two greys, ten levels apart", 20 * math.log10(255 / 10), psnr(flat, small)
