"""How images become squares: each way against numbers worked out by hand."""

import numpy as np
import pytest
import torch

from imagen_lit.basics.errors import InputError
from imagen_lit.features.resize import WAYS, Resize, way_of

NAMES = [way.name for way in WAYS]


def grey(rows: list[list[int]]) -> np.ndarray:
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_image_stays_flat_at_any_size(name: str) -> None:
    flat = np.full((7, 13, 3), (0, 90, 255), np.uint8)
    pixels = way_of(name).apply(flat, 20)
    assert pixels.shape == (3, 20, 20) and pixels.dtype == torch.float32
    torch.testing.assert_close(
        pixels, torch.tensor([0.0, 90, 255])[:, None, None].expand(3, 20, 20)
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_the_right_size_stays_as_it_is(name: str) -> None:
    own = image(16, 16)
    expected = torch.tensor(own).permute(2, 0, 1).float()
    torch.testing.assert_close(way_of(name).apply(own, 16), expected, atol=1e-3, rtol=0)


def test_tensorflows_pixels_lie_where_its_first_version_put_them() -> None:
    """Output i lies at i · in/out, and beyond the last pixel nothing new comes."""
    up = way_of("tf1_bilinear").apply(grey([[0, 100], [0, 100]]), 4)
    assert up[0, 0].tolist() == [0, 50, 100, 100]
    down = way_of("tf1_bilinear").apply(grey([[10, 20, 30, 40]] * 4), 2)
    assert down[0, 0].tolist() == [10, 30], "two pixels are left out, not averaged"


def test_tensorflows_way_equals_its_formula_pixel_by_pixel() -> None:
    own, size = image(11, 23), 7
    result = way_of("tf1_bilinear").apply(own, size).numpy()
    for y, x in np.ndindex(size, size):
        v, u = y * 11 / size, x * 23 / size
        top, left = int(v), int(u)
        low, right = min(top + 1, 10), min(left + 1, 22)
        upper = own[top, left] * (1 - u + left) + own[top, right] * (u - left)
        lower = own[low, left] * (1 - u + left) + own[low, right] * (u - left)
        expected = upper * (1 - v + top) + lower * (v - top)
        np.testing.assert_allclose(result[:, y, x], expected, atol=1e-3)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_says_truly_whether_it_is_antialiased(way: Resize) -> None:
    """Of stripes one pixel wide nothing but grey is left, if it is."""
    stripes = grey([[0, 255] * 32] * 64)
    pixels = way.apply(stripes, 24)[:, :, 3:-3]
    assert (pixels.std() < 20) == way.antialias


def test_the_ways_differ_where_they_say_so() -> None:
    edge = grey([[0] * 8 + [255] * 8] * 16)
    pixels = {name: way_of(name).apply(edge, 24) for name in NAMES}
    assert pixels["torch_bicubic_antialias"].min() < 0 <= pixels["pil_bicubic_antialias"].min()
    rounded = pixels["pil_bicubic_uint8"]
    assert (rounded == rounded.round()).all()
    assert (pixels["pil_bicubic_antialias"] != pixels["pil_bicubic_antialias"].round()).any()
    assert (pixels["pil_bicubic_antialias"] - rounded).abs().max() <= 0.51


def test_a_way_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match=r"resize=tf1_bilinea.*did you mean.*Set it to one of"):
        way_of("tf1_bilinea")
