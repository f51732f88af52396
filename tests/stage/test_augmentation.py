"""What is done to the low-resolution image, against scipy, and by position alone."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion import noise, schedule
from imagen_lit.stage.augmentation import GaussianBlur, GaussianNoise, NoAugmentation, blur
from imagen_lit.stage.condition import TextAndLowRes

KINDS = {
    "none": NoAugmentation(),
    "noise": GaussianNoise(schedule.Cosine()),
    "truncated": GaussianNoise(schedule.Cosine(), 0.3),
    "blur": GaussianBlur(),
}


def images(count: int = 6) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("sigma", "radius"), [(0.4, 1), (0.6, 1), (1.3, 3)])
def test_blur_is_that_of_scipy(sigma: float, radius: int) -> None:
    x = images()
    ours = blur(x, torch.full((len(x),), sigma), radius)
    for image, blurred in zip(x.numpy(), ours.numpy(), strict=True):
        sigmas = (0, sigma, sigma)
        expected = gaussian_filter(image.astype(np.float64), sigmas, mode="mirror", radius=radius)
        np.testing.assert_allclose(blurred, expected, atol=1e-5)


def test_half_of_the_images_are_blurred_each_by_its_own_sigma() -> None:
    x, position = images(1).expand(4000, -1, -1, -1), torch.arange(4000)
    out, _ = GaussianBlur().for_training(x, 0, position)
    is_blurred = (out != x).flatten(1).any(1)
    assert is_blurred.float().mean().item() == pytest.approx(0.5, abs=0.03)
    number = int(is_blurred.nonzero()[0])
    sigma = 0.4 + 0.2 * noise.uniform(0, position[number : number + 1], "blur sigma")
    torch.testing.assert_close(out[number], blur(x[:1], sigma, 1)[0], atol=1e-6, rtol=1e-5)
    assert len({float(each.std()) for each in out[is_blurred][:50]}) == 50


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_augmented_by_its_position_whatever_is_beside_it(kind: str) -> None:
    x, position = images(), torch.arange(100, 106)
    whole, logsnr = KINDS[kind].for_training(x, 7, position)
    part, some = KINDS[kind].for_training(x[2:4], 7, position[2:4])
    assert torch.equal(whole[2:4], part) and torch.equal(logsnr[2:4], some)
    if kind != "none":
        assert not torch.equal(whole, KINDS[kind].for_training(x, 8, position)[0])


def test_levels_are_uniform_up_to_the_highest() -> None:
    position = torch.arange(4000)
    for kind in ("noise", "truncated"):
        augmentation = KINDS[kind]
        _, logsnr = augmentation.for_training(images(1).expand(4000, -1, -1, -1), 0, position)
        levels = torch.linspace(0, augmentation.max_aug_level, 4001)
        share = (logsnr >= schedule.Cosine()(levels)[1000]).float().mean().item()
        assert share == pytest.approx(0.25, abs=0.03)
        assert logsnr.min() >= schedule.Cosine()(levels)[-1]


def test_without_noise_the_network_is_told_what_noise_of_level_0_tells_it() -> None:
    x, position = images(), torch.arange(6)
    expected = GaussianNoise(schedule.Cosine(), 0.0).for_training(x, 0, position)
    nothing = NoAugmentation().for_training(x, 0, position)
    assert all(map(torch.equal, nothing, expected))
    assert torch.equal(GaussianBlur().for_training(x, 0, position)[1], expected[1])
    level, eps = torch.zeros(6), torch.randn_like(x)
    for augmentation in KINDS.values():
        drawn = augmentation.for_drawing(x, level, eps)
        assert all(map(torch.equal, drawn, expected)), "as it is, at level 0"


def test_settings_of_earlier_versions_augment_as_they_did() -> None:
    earlier = TextAndLowRes(schedule.Cosine(), factor=4, drop=0.1, max_aug_level=0.3)
    now = TextAndLowRes(factor=4, augmentation=GaussianNoise(schedule.Cosine(), 0.3))
    assert earlier.kernel == "box"
    data = {
        "image": images(),
        "text": torch.randn(6, 5, 4),
        "mask": torch.ones(6, 5).bool(),
        "position": torch.arange(6),
    }
    one, other = (each.for_training(data, 0) for each in (earlier, now))
    assert torch.equal(one.lowres, other.lowres)
    assert torch.equal(one.lowres_logsnr, other.lowres_logsnr)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"share": 1.5}, r"augmentation\.share=1\.5 is not between 0 and 1"),
        ({"min_sigma": 0}, r"augmentation\.min_sigma=0 is not"),
        ({"max_sigma": 0.1}, r"augmentation\.max_sigma=0\.1 is not"),
        ({"radius": 0}, r"augmentation\.radius=0 is not"),
    ],
)
def test_a_blur_that_makes_no_sense_is_refused(words: dict, message: str) -> None:
    with pytest.raises(InputError, match=rf"^stage\.condition\.{message}"):
        GaussianBlur(**words)
