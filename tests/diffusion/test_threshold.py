"""Laws of every threshold, and dynamic thresholding against NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.threshold import dynamic, none, static

Threshold = Callable[[Tensor], Tensor]

torch.manual_seed(0)
BIG = 3 * torch.randn(4, 3, 16, 16, dtype=torch.float64)


def test_images_in_range_are_left_as_they_are(threshold: Threshold) -> None:
    small = 2 * torch.rand(4, 3, 16, 16) - 1
    assert torch.equal(threshold(small), small)


def test_images_out_of_range_are_bounded_or_never_changed(threshold: Threshold) -> None:
    bounded = threshold(BIG)
    assert torch.equal(bounded, BIG) or bounded.abs().max() <= 1


@pytest.mark.parametrize("bound", [static, dynamic])
def test_static_and_dynamic_do_bound(bound: Threshold) -> None:
    assert bound(BIG).abs().max() == 1


def test_none_does_nothing() -> None:
    assert none(BIG) is BIG


def test_order_of_brightness_and_signs_are_preserved(threshold: Threshold) -> None:
    order = BIG.flatten(1).argsort(dim=1)
    sorted_alike = threshold(BIG).flatten(1).gather(1, order)
    assert (sorted_alike.diff(dim=1) >= 0).all()
    assert torch.equal(threshold(BIG).sign(), BIG.sign())


def test_an_image_does_not_depend_on_its_batch(threshold: Threshold) -> None:
    other_batch = torch.cat([BIG[:1], 100 * BIG[1:]])
    assert torch.equal(threshold(other_batch)[:1], threshold(BIG[:1]))


@pytest.mark.parametrize("percentile", [5, 50, 90.5, 99.5, 99.99, 100])
@pytest.mark.parametrize("cap", [None, 1.0, 1.5, 50.0])
def test_dynamic_is_the_published_recipe(percentile: float, cap: float | None) -> None:
    for image in (0.2 * BIG, BIG):
        for x in image.numpy():
            s = max(np.percentile(np.abs(x), percentile), 1)
            s = s if cap is None else min(s, cap)
            expected = torch.from_numpy(np.clip(x, -s, s) / s)
            torch.testing.assert_close(
                dynamic(torch.from_numpy(x)[None], percentile, cap)[0], expected
            )


def test_a_cap_of_one_is_static() -> None:
    assert torch.equal(dynamic(BIG, cap=1), static(BIG))


def test_a_batch_of_large_images_is_thresholded_too() -> None:
    """More values than torch.quantile takes (2^24)."""
    x = torch.linspace(-4, 4, 2**20).repeat(18).reshape(18, 1, 1024, 1024)
    scale = 4 * 0.995
    torch.testing.assert_close(dynamic(x), x.clamp(-scale, scale) / scale)


def test_a_fraction_for_a_percentile_is_an_error_with_the_right_number() -> None:
    with pytest.raises(InputError, match=r"percentile=0\.995 is not .* Set percentile=99\.5"):
        dynamic(BIG, percentile=0.995)


def test_a_cap_below_one_is_an_error() -> None:
    with pytest.raises(InputError, match=r"cap=0\.9 is less than 1\. Set cap=1\.5"):
        dynamic(BIG, cap=0.9)
