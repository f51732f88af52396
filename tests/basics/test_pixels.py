"""[-1, 1], uint8 and PNG files are three forms of one image."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imagen_lit.basics import pixels


def test_every_grey_level_survives_the_way_there_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(pixels.to_uint8(pixels.to_signed(levels)), levels)


def test_signed_images_fill_minus_one_to_one() -> None:
    signed = pixels.to_signed(torch.tensor([0, 255], dtype=torch.uint8))
    assert signed.tolist() == [-1, 1]


def test_what_lies_beyond_is_clipped_to_the_nearest_level() -> None:
    images = torch.tensor([-3.0, -1.0, 0.001, 1.0, 3.0])
    assert pixels.to_uint8(images).tolist() == [0, 0, 128, 255, 255]


def test_an_array_has_its_channels_last_and_a_png_holds_it_exactly(tmp_path: Path) -> None:
    images = torch.rand(2, 3, 5, 7) * 2 - 1
    array = pixels.to_array(images)
    assert array.shape == (2, 5, 7, 3) and array.dtype == np.uint8
    assert np.array_equal(array[1], pixels.to_array(images[1]))
    pixels.save_png(Image.fromarray(array[0]), tmp_path / "a.png")
    assert np.array_equal(pixels.load_png(tmp_path / "a.png"), array[0])
