"""What the network predicts from a noisy image z = alpha x + sigma eps.

A *prediction* is an object with three methods, all exact for any x, eps and finite log-SNR:

- `target(x, eps, logsnr)`: the correct output, in the network's own space;
- `to_clean(out, z, logsnr)`: the clean image that an output implies; the target implies x;
- `emphasis(logsnr)`: how much more an error weighs in the network's space than in x-space:
  |out - target|^2 = emphasis |to_clean(out) - x|^2.

Images are [B, ...], log-SNR and emphasis [B].
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from imagen_lit.diffusion.schedule import Schedule, alpha_sigma, per_image


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


@dataclass(frozen=True)
class EpsilonWithVariance(Epsilon):
    """The noise, and in as many channels more how noisy an earlier image is. Nichol & Dhariwal
    2021 ("improved DDPM"), § 3.1; DeepFloyd IF.

    In a step from t to s the noise has, for each value, the variance sigma^2_{t|s} of the forward
    step where `gamma` is 1, the smaller one of the posterior where it is 0, and a geometric mean in
    between (eq. 15). It is learned for the steps of a process of so many `steps`, with `weight`
    (eq. 16), and kept for longer ones.
    """

    steps: int = 1000
    weight: float = 0.001

    def to_clean(self, out: Tensor, z: Tensor, logsnr: Tensor) -> Tensor:
        """Of the first half of the channels."""
        return super().to_clean(out[:, : z.shape[1]], z, logsnr)

    def gamma(self, out: Tensor) -> Tensor:
        """Of the second half: -1 means 0, and 1 means 1; nothing bounds it."""
        return (out.chunk(2, dim=1)[1] + 1) / 2

    def variance_loss(
        self, out: Tensor, x: Tensor, z: Tensor, t: Tensor, schedule: Schedule
    ) -> Tensor:
        """`weight` times the variational bound of all steps, estimated from the one that ends at
        t: bits a value, [B]. No gradient goes into the estimate of the noise (§ 3.1)."""
        logsnr = schedule(t)
        estimate = self.to_clean(out, z, logsnr).detach().clamp(-1, 1)
        s, first = t - 1 / self.steps, t < 1.5 / self.steps
        later = torch.where(first, t + 1 / self.steps, t)  # the first step's posterior has no noise
        low, _ = _log_variances(schedule(later - 1 / self.steps), schedule(later))
        logsnr_s = schedule(s.clamp(min=0))
        exact, high = _log_variances(logsnr_s, logsnr)
        gamma = self.gamma(out)
        log_variance = per_image(low, z) + gamma * per_image(high - low, z)
        scale = per_image(_scale_of_clean(logsnr_s, logsnr), z)
        kl = _kl(scale * (x - estimate), per_image(exact, z), log_variance)
        nats = torch.where(per_image(first, z), _surprise(x, estimate, log_variance), kl)
        return self.weight * self.steps * nats.flatten(1).mean(1) / math.log(2)


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


def _log_variances(logsnr_s: Tensor, logsnr_t: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest of a step's noise: sigma^2_{t|s} sigma_s^2 / sigma_t^2, and
    sigma^2_{t|s}."""
    share = torch.log(-torch.expm1(logsnr_t - logsnr_s))  # sigma^2_{t|s} / sigma_t^2
    return share + logsigmoid(-logsnr_s), share + logsigmoid(-logsnr_t)


def _scale_of_clean(logsnr_s: Tensor, logsnr_t: Tensor) -> Tensor:
    """By how much a clean image counts in the mean of the posterior."""
    return -torch.expm1(logsnr_t - logsnr_s) * alpha_sigma(logsnr_s)[0]


def _kl(difference: Tensor, log_variance: Tensor, other: Tensor) -> Tensor:
    """Of one normal from another whose means differ by so much, in nats."""
    ratio = torch.exp(log_variance - other) + difference.square() * torch.exp(-other)
    return (ratio - 1 + other - log_variance) / 2


def _surprise(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """-log of the probability of the grey level of x, one of 256, of which the outer two are open.
    Ho et al. 2020, eq. 13."""
    inverse = torch.exp(-log_variance / 2)
    above, below = (torch.special.ndtr((x - mean + d) * inverse) for d in (1 / 255, -1 / 255))
    above = torch.where(x > 0.999, 1.0, above)
    below = torch.where(x < -0.999, 0.0, below)
    return -torch.log((above - below).clamp(min=1e-12))
