"""How much each noise level matters to the loss.

A *weighting* is a function (logsnr, emphasis) -> factor, one per picture, by which the squared
error in the *network's own* space is multiplied. `emphasis` belongs to the prediction and converts
between the two spaces (see `prediction`): factor = (weight in x-space) / emphasis. So a weighting
means the same whatever the network predicts, and the two remain independent choices.

`plain` is the one exception and says so: it is stated in the network's own space.

The same loss under its different names, as a weight in x-space:

    plain with Epsilon       SNR                  Imagen, DDPM ("L_simple")
    plain with Velocity      SNR + 1              Salimans & Ho 2022, § 4 ("SNR+1")
    plain with Clean         1
    min_snr                  min(SNR, gamma)      Hang et al. 2023
    p2                       SNR / (k + SNR)^gamma      Choi et al. 2022

So min_snr with gamma = infinity and p2 with gamma = 0 are Imagen's loss for any prediction.
"""

import torch
from torch import Tensor


def plain(logsnr: Tensor, emphasis: Tensor) -> Tensor:
    """The network's own squared error, as it is. With Epsilon, the loss of Imagen (App. A)."""
    return torch.ones_like(logsnr)


def min_snr(logsnr: Tensor, emphasis: Tensor, gamma: float = 5.0) -> Tensor:
    """Imagen's weight, but no noise level counts more than gamma. Hang et al. 2023."""
    return torch.exp(logsnr).clamp(max=gamma) / emphasis


def p2(logsnr: Tensor, emphasis: Tensor, gamma: float = 1.0, k: float = 1.0) -> Tensor:
    """Imagen's weight over (k + SNR)^gamma: fine detail counts less. Choi et al. 2022."""
    snr = torch.exp(logsnr)
    return snr / (k + snr) ** gamma / emphasis
