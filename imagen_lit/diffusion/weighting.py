"""How much each noise level matters to the loss.

A *weighting* is a function (logsnr, emphasis) -> factor, one per image, by which the squared
error in the *network's own* space is multiplied. `emphasis` belongs to the prediction and converts
between the two spaces (see `prediction`): factor = (weight in x-space) / emphasis. So a weighting
means the same whatever the network predicts, and the two are independent choices.

    weighting        weight in x-space        origin
    plain            SNR                      an Epsilon network's error: Imagen, "L_simple"
    snr_plus_one     SNR + 1                  a Velocity network's error: Salimans & Ho 2022, § 4
    constant         1                        a Clean network's error
    min_snr          min(SNR, gamma)          Hang et al. 2023
    p2               SNR / (k + SNR)^gamma    Choi et al. 2022
"""

import torch
from torch import Tensor


def plain(logsnr: Tensor, emphasis: Tensor) -> Tensor:
    """The squared error of the noise. Imagen, App. A; Ho et al. 2020, eq. 14."""
    return torch.exp(logsnr) / emphasis


def snr_plus_one(logsnr: Tensor, emphasis: Tensor) -> Tensor:
    """The squared error of the velocity. Salimans & Ho 2022, § 4."""
    return (1 + torch.exp(logsnr)) / emphasis


def constant(logsnr: Tensor, emphasis: Tensor) -> Tensor:
    """The squared error of the clean image."""
    return 1 / emphasis


def min_snr(logsnr: Tensor, emphasis: Tensor, gamma: float = 5.0) -> Tensor:
    """Imagen's weight, but no noise level counts more than gamma. Hang et al. 2023."""
    return torch.exp(logsnr).clamp(max=gamma) / emphasis


def p2(logsnr: Tensor, emphasis: Tensor, gamma: float = 1.0, k: float = 1.0) -> Tensor:
    """Imagen's weight over (k + SNR)^gamma: fine detail counts less. Choi et al. 2022."""
    snr = torch.exp(logsnr)
    return snr / (k + snr) ** gamma / emphasis
