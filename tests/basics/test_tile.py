"""An image among others keeps what it shows."""

import numpy as np
from PIL import Image

from imagen_lit.basics.tile import tile


def test_each_pixel_of_a_small_image_is_a_square_of_its_tile() -> None:
    small = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    shown = np.asarray(tile(Image.fromarray(small), 8))
    assert (shown == small.repeat(4, axis=0).repeat(4, axis=1)).all()


def test_a_large_image_is_reduced_and_not_cut() -> None:
    large = Image.new("RGB", (64, 64), (7, 7, 7))
    shown = tile(large, 8)
    assert shown.size == (8, 8) and np.unique(np.asarray(shown)).tolist() == [7]
