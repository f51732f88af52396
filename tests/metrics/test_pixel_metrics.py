"""Contrast, colour, low-resolution consistency and channel drift on images of which they are
known."""

from pathlib import Path

import numpy as np
import pytest
from toy_sample import ToyImages, noise_images

from imagen_lit.basics.errors import InputError
from imagen_lit.metrics.channel_drift import ChannelDrift
from imagen_lit.metrics.colour import Colour, chroma, colourfulness
from imagen_lit.metrics.contrast import Contrast, contrast
from imagen_lit.metrics.low_res_consistency import LowResConsistency, area_mean, psnr
from imagen_lit.metrics.sample import Sample


def one_colour(*rgb: int, size: int = 8) -> np.ndarray:
    return np.full((size, size, 3), rgb, np.uint8)


def scores_of(metric: object, folder: Path, images: np.ndarray, *inputs: np.ndarray) -> dict:
    sample = Sample(ToyImages(images), folder / "own")
    others = [Sample(ToyImages(each), folder / "inputs") for each in inputs]
    assert all(metric.extract(each) for each in (sample, *others))
    return {each.metric: each.value for each in metric.scores(sample, *others or [None])}


def test_black_and_white_are_counted_and_the_range_lies_between(tmp_path: Path) -> None:
    image = one_colour(0, 0, 0)
    image[:, :2] = 255
    image[0, 7] = (128, 128, 128)
    assert contrast(image, 0.05, 0.01) == pytest.approx((47 / 64, 16 / 64, 1.0))
    assert contrast(one_colour(13, 13, 13), 0.05, 0.01) == (0, 0, 0)
    assert contrast(one_colour(12, 12, 12), 0.05, 0.01)[0] == 1
    assert contrast(one_colour(0, 255, 0), 0.05, 0.01)[1] == 0
    values = scores_of(Contrast(), tmp_path, np.stack([image, one_colour(255, 255, 255)]))
    expected = {"near_black": 47 / 128, "near_white": 80 / 128, "luminance_range": 0.5}
    assert values == pytest.approx(expected, rel=1e-6)


def test_grey_has_no_colour_and_red_has_all(tmp_path: Path) -> None:
    assert chroma(one_colour(90, 90, 90)) == colourfulness(one_colour(90, 90, 90)) == 0
    assert chroma(one_colour(255, 0, 0)) == 1 and chroma(one_colour(5, 0, 0)) == 5 / 255
    # R - G = 255 and (R + G)/2 - B = 127.5 everywhere: no spread.
    assert colourfulness(one_colour(255, 0, 0)) == pytest.approx(0.3 * 127.5 * 5**0.5)
    values = scores_of(Colour(), tmp_path, np.stack([one_colour(255, 0, 0), one_colour(9, 9, 9)]))
    assert values["chroma"] == 0.5


def test_an_enlarged_image_is_consistent_with_its_input(tmp_path: Path) -> None:
    lowres = noise_images(5)
    enlarged = lowres.repeat(4, axis=1).repeat(4, axis=2)
    perfect = 10 * np.log10(255**2 * 12)
    values = scores_of(LowResConsistency(), tmp_path / "a", enlarged, lowres)
    assert values == {"low_res_consistency": pytest.approx(perfect)}
    off = np.where(enlarged < 250, enlarged + 4, enlarged - 4).astype(np.uint8)
    values = scores_of(LowResConsistency(), tmp_path / "b", off, lowres)
    assert values["low_res_consistency"] == pytest.approx(10 * np.log10(255**2 / 16))


def test_detail_that_the_area_mean_removes_is_no_inconsistency() -> None:
    lowres = one_colour(100, 100, 100, size=4)
    checks = np.indices((8, 8)).sum(axis=0)[..., None] % 2 * 60 + 70
    image = np.broadcast_to(checks, (8, 8, 3)).astype(np.uint8)
    assert np.array_equal(area_mean(image, 4, 4), lowres)
    assert psnr(image, lowres) == pytest.approx(58.92, abs=0.01)


def test_inputs_that_do_not_belong_to_the_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no whole multiple"):
        psnr(noise_images(1, size=9)[0], noise_images(1, size=4)[0])
    with pytest.raises(InputError, match="3 images have 2"):
        scores_of(ChannelDrift(), tmp_path, noise_images(3), noise_images(2))
    with pytest.raises(InputError, match="there is none"):
        scores_of(ChannelDrift(), tmp_path, noise_images(3))


def test_a_tint_and_a_flattening_are_found(tmp_path: Path) -> None:
    lowres = noise_images(6, size=4) // 2 + 20
    enlarged = lowres.repeat(2, axis=1).repeat(2, axis=2)
    enlarged[..., 0] += 7
    enlarged[..., 2] = 30
    values = scores_of(ChannelDrift(), tmp_path, enlarged, lowres)
    blue = lowres[..., 2].astype(float)
    assert values == pytest.approx(
        {
            "drift_mean_red": 7,
            "drift_mean_green": 0,
            "drift_mean_blue": 30 - blue.mean(),
            "drift_std_red": 0,
            "drift_std_green": 0,
            "drift_std_blue": -np.mean([each.std() for each in blue]),
        },
        abs=1e-4,
    )
