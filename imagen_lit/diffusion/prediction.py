"""What the network is asked to say about a noisy picture z = alpha x + sigma eps.

A *prediction* is an object with three methods, all exact for any x, eps and finite log-SNR:

- `target(x, eps, logsnr)`: the right answer, in the network's own space;
- `to_clean(out, z, logsnr)`: the clean picture that an answer implies; the right answer implies x;
- `emphasis(logsnr)`: how much more an error weighs in the network's space than in x-space:
  |out - target|^2 = emphasis |to_clean(out) - x|^2.

Pictures are [B, ...], log-SNR and emphasis [B].
"""

import torch
from torch import Tensor

from imagen_lit.diffusion.schedule import alpha_sigma, per_picture


class Epsilon:
    """The noise. Ho et al. 2020, eq. 14; all three models of Imagen (App. A)."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        return eps

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        alpha, sigma = alpha_sigma(per_picture(logsnr, z))
        return (z - sigma * out) / alpha

    def emphasis(self, logsnr: Tensor) -> Tensor:
        return torch.exp(logsnr)


class Clean:
    """The clean picture itself. Salimans & Ho 2022, § 4."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        return x

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        return out

    def emphasis(self, logsnr: Tensor) -> Tensor:
        return torch.ones_like(logsnr)


class Velocity:
    """v = alpha eps - sigma x. Salimans & Ho 2022, § 4 and App. D; Imagen Video.

    Neither end of time is special: the target is -x at t=1 and eps at t=0; nothing is divided.
    """

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        alpha, sigma = alpha_sigma(per_picture(logsnr, x))
        return alpha * eps - sigma * x

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        alpha, sigma = alpha_sigma(per_picture(logsnr, z))
        return alpha * z - sigma * out

    def emphasis(self, logsnr: Tensor) -> Tensor:
        return 1 + torch.exp(logsnr)
