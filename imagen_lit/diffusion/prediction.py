"""What the network predicts from a noisy image z = alpha x + sigma eps.

A *prediction* is an object with three methods, all exact for any x, eps and finite log-SNR:

- `target(x, eps, logsnr)`: the correct output, in the network's own space;
- `to_clean(out, z, logsnr)`: the clean image that an output implies; the target implies x;
- `emphasis(logsnr)`: how much more an error weighs in the network's space than in x-space:
  |out - target|^2 = emphasis |to_clean(out) - x|^2.

Images are [B, ...], log-SNR and emphasis [B].
"""

from typing import Protocol

import torch
from torch import Tensor

from imagen_lit.diffusion.schedule import alpha_sigma, per_image


class Prediction(Protocol):
    """What others need from a prediction. For the reader; nothing inherits from it."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        """The correct output."""

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        """The clean image that an output implies."""

    def emphasis(self, logsnr: Tensor) -> Tensor:
        """The weight of an error in the network's space, relative to x-space."""


class Epsilon:
    """The noise. Ho et al. 2020, eq. 14; all three models of Imagen (App. A)."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        """eps."""
        return eps

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        """(z - sigma out) / alpha."""
        alpha, sigma = alpha_sigma(per_image(logsnr, z))
        return (z - sigma * out) / alpha

    def emphasis(self, logsnr: Tensor) -> Tensor:
        """SNR."""
        return torch.exp(logsnr)


class Clean:
    """The clean image itself. Salimans & Ho 2022, § 4."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        """x."""
        return x

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        """The output itself."""
        return out

    def emphasis(self, logsnr: Tensor) -> Tensor:
        """1."""
        return torch.ones_like(logsnr)


class Velocity:
    """v = alpha eps - sigma x. Salimans & Ho 2022, § 4 and App. D; Imagen Video.

    Neither end of time is special: the target is -x at t=1 and eps at t=0; there is no division.
    """

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        """alpha eps - sigma x."""
        alpha, sigma = alpha_sigma(per_image(logsnr, x))
        return alpha * eps - sigma * x

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        """alpha z - sigma out."""
        alpha, sigma = alpha_sigma(per_image(logsnr, z))
        return alpha * z - sigma * out

    def emphasis(self, logsnr: Tensor) -> Tensor:
        """SNR + 1."""
        return 1 + torch.exp(logsnr)
