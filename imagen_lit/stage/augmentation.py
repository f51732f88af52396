"""Noise-conditioning augmentation: noise is added to the low-resolution image, and the network gets
the noise level (Imagen § 2.4, fig. A.32)."""

import torch
from torch import Tensor

from imagen_lit.diffusion.schedule import Schedule, diffuse


def augment(
    lowres: Tensor, aug_level: Tensor, eps: Tensor, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """The forward process at time `aug_level` [B]: the noisy images and their log-SNR.

    Level 0 is the image itself, 1 is pure noise. The noise is added at low resolution, as in
    Cascaded Diffusion § 4; the Imagen paper does not say.
    """
    logsnr = schedule(aug_level)
    noisy = diffuse(lowres, eps, logsnr)
    is_clean = (aug_level == 0).reshape(-1, *[1] * (lowres.ndim - 1))
    return torch.where(is_clean, lowres, noisy), logsnr
