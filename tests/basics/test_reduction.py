"""Each kernel against another program's, and the same for a base's images and a stage's."""

import numpy as np
import pytest
import torch
from PIL import Image

from imagen_lit.basics import pixels, reduction
from imagen_lit.basics.errors import InputError
from imagen_lit.data import transform
from imagen_lit.stage.condition import small_image

PILLOW = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def noisy(edge: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (edge, edge, 3), np.uint8)


@pytest.mark.parametrize("kernel", reduction.KERNELS)
def test_a_kernel_is_pillows(kernel: str) -> None:
    image = noisy()
    small = transform.resize(torch.from_numpy(image).permute(2, 0, 1), 8, kernel)
    theirs = np.asarray(Image.fromarray(image).resize((8, 8), PILLOW[kernel]))
    assert small.dtype == torch.uint8
    assert np.abs(small.permute(1, 2, 0).numpy().astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("kernel", reduction.KERNELS)
def test_with_one_kernel_a_base_learns_what_a_stage_learns_to_enlarge(kernel: str) -> None:
    image = torch.from_numpy(noisy()).permute(2, 0, 1)
    base = transform.resize(image, 8, kernel)
    lowres = small_image(pixels.to_signed(image[None]), 4, kernel)[0]
    assert (pixels.to_uint8(lowres).int() - base.int()).abs().max() <= 1
    assert lowres.abs().max() <= 1


def test_kernels_differ_and_an_unknown_one_is_refused() -> None:
    image = pixels.to_signed(torch.from_numpy(noisy()).permute(2, 0, 1)[None])
    one, two, three = (small_image(image, 4, kernel) for kernel in reduction.KERNELS)
    assert min((one - two).abs().max(), (two - three).abs().max()) > 0.05
    with pytest.raises(InputError, match=r"data\.kernel=sinc is not one of box.*Set data\.kernel="):
        reduction.refuse_unknown("data.kernel", "sinc")
