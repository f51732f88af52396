"""How much of an image is left at time t.

A noisy image is z = alpha x + sigma eps with alpha^2 + sigma^2 = 1, so one number describes it:
the log-SNR, log(alpha^2 / sigma^2). A *schedule* is a callable t -> log-SNR on t in [0, 1]. It
never increases: t=0 is clean, t=1 is noise. `inverse` maps log-SNR back to t.

Every log-SNR is finite: it is clamped to +-LIMIT, where alpha (at t=1) and sigma (at t=0) are
4.5e-5 and still ordinary float32 numbers. Nichol & Dhariwal's discrete schedule, with its betas
clipped at 0.999, ends at nearly the same place (log-SNR -19.8: `DiscreteCosine`).

Shapes: t and log-SNR have one number per image [B]; images are [B, ...].
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

LIMIT = 20.0
LARGEST_BETA = 0.999  # of a discrete process


class Schedule(Protocol):
    """What others need from a schedule. For the reader; nothing inherits from it."""

    def __call__(self, t: Tensor) -> Tensor:
        """t -> log-SNR."""

    def inverse(self, logsnr: Tensor) -> Tensor:
        """log-SNR -> t."""


@dataclass(frozen=True)
class Cosine:
    """alpha falls as a quarter of a cosine. Nichol & Dhariwal 2021, eq. 17; Imagen App. F.1, F.2.

    `offset` keeps the first steps from being too small to matter.
    """

    offset: float = 0.008

    def __call__(self, t: Tensor) -> Tensor:
        """The angle u runs from u0 to pi/2, and alpha^2 = cos^2 u / cos^2 u0.

        Then sigma^2 = (cos^2 u0 - cos^2 u) / cos^2 u0 = sin(u - u0) sin(u + u0) / cos^2 u0: near
        t=0 the product loses no digits, as the difference would.
        """
        angle = t / (1 + self.offset) * (math.pi / 2)  # u - u0
        signal = torch.cos(angle + self._u0).square()
        noise = torch.sin(angle) * torch.sin(angle + 2 * self._u0)
        return (torch.log(signal) - torch.log(noise)).clamp(-LIMIT, LIMIT)

    def inverse(self, logsnr: Tensor) -> Tensor:
        """From cos u = cos u0 alpha and sin^2 u = sin^2 u0 + (cos u0 sigma)^2."""
        alpha, sigma = alpha_sigma(logsnr)
        cos, sin = math.cos(self._u0), math.sin(self._u0)
        u = torch.atan2((sin**2 + (cos * sigma).square()).sqrt(), cos * alpha)
        return ((u - self._u0) / (math.pi / 2 - self._u0)).clamp(0, 1)

    @property
    def _u0(self) -> float:
        return self.offset / (1 + self.offset) * (math.pi / 2)


@dataclass(frozen=True)
class DiscreteCosine:
    """The cosine schedule of `steps` steps, none of which takes more than `LARGEST_BETA` of the
    variance. Nichol & Dhariwal 2021, eq. 17, as DeepFloyd IF was trained.

    Step n of it is the time (n + 1) / steps. Up to the last step that is `Cosine`; in the last one,
    which would leave nothing of the image, log alpha^2 falls in a straight line instead.
    """

    steps: int = 1000
    offset: float = 0.008

    def __call__(self, t: Tensor) -> Tensor:
        """t -> log-SNR."""
        last, low = self._last_step(t)
        signal = low + (t - last) * self.steps * math.log(1 - LARGEST_BETA)  # log alpha^2
        in_last = signal - torch.log(-torch.expm1(signal))
        return torch.where(t <= last, Cosine(self.offset)(t.clamp(max=last)), in_last)

    def inverse(self, logsnr: Tensor) -> Tensor:
        """log-SNR -> t."""
        last, low = self._last_step(logsnr)
        share = (logsigmoid(logsnr) - low) / math.log(1 - LARGEST_BETA)
        in_last = (last + share / self.steps).clamp(max=1)
        return torch.where(share <= 0, Cosine(self.offset).inverse(logsnr), in_last)

    def timestep(self, logsnr: Tensor) -> Tensor:
        """The number of the step that is nearest, from 0 to steps - 1."""
        return (self.inverse(logsnr) * self.steps).round().clamp(1, self.steps) - 1

    def _last_step(self, like: Tensor) -> tuple[float, Tensor]:
        """When it begins, and log alpha^2 there."""
        last = (self.steps - 1) / self.steps
        begin = torch.full((), last, dtype=torch.float64)
        return last, logsigmoid(Cosine(self.offset)(begin)).to(like)


@dataclass(frozen=True)
class Linear:
    """beta grows linearly. Ho et al. 2020, § 4, made continuous; Imagen App. F.3.

    The product over (1 - beta) becomes alpha^2 = exp(-u) with u the integral of beta. It begins at
    `beta_start`, the noise of one first step, instead of zero: nothing is cleaner than the cleanest
    image of the discrete process, and the log-SNR at t=0 is finite.
    """

    beta_start: float = 1e-4
    beta_end: float = 0.02
    steps: int = 1000

    def __call__(self, t: Tensor) -> Tensor:
        """u is a parabola in t, and the SNR is 1 / (e^u - 1)."""
        slope, curve = self._slope_and_curve()
        u = self.beta_start + slope * t + curve * t.square()
        return -torch.log(torch.expm1(u)).clamp(-LIMIT, LIMIT)

    def inverse(self, logsnr: Tensor) -> Tensor:
        """The root of curve t^2 + slope t = u, in the form that does not subtract."""
        slope, curve = self._slope_and_curve()
        u = (softplus(-logsnr) - self.beta_start).clamp(min=0)
        return (2 * u / (slope + (slope**2 + 4 * curve * u).sqrt())).clamp(0, 1)

    def _slope_and_curve(self) -> tuple[float, float]:
        return self.steps * self.beta_start, self.steps * (self.beta_end - self.beta_start) / 2


@dataclass(frozen=True)
class Shifted:
    """A schedule shifted for resolution. Hoogeboom et al. 2023 ("simple diffusion"), § 3.1.

    Averaging r x r pixels averages the noise away but not the image, so an image r times larger
    on a side needs a log-SNR lower by 2 log r to be hidden as well as at the `reference`.
    """

    base: Schedule
    resolution: int
    reference: int = 64

    def __call__(self, t: Tensor) -> Tensor:
        """The log-SNR of `base`, shifted."""
        return (self.base(t) + self._shift).clamp(-LIMIT, LIMIT)

    def inverse(self, logsnr: Tensor) -> Tensor:
        """The inverse of `base`, shifted back."""
        return self.base.inverse(logsnr - self._shift)

    @property
    def _shift(self) -> float:
        return 2 * math.log(self.reference / self.resolution)


def alpha_sigma(logsnr: Tensor) -> tuple[Tensor, Tensor]:
    """The two amplitudes of a variance-preserving process. Imagen App. A; Kingma et al. 2021."""
    return torch.sigmoid(logsnr).sqrt(), torch.sigmoid(-logsnr).sqrt()


def diffuse(x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
    """z = alpha x + sigma eps. Imagen § 2.2 and App. A."""
    alpha, sigma = alpha_sigma(per_image(logsnr, x))
    return alpha * x + sigma * eps


def per_image(number: Tensor, image: Tensor) -> Tensor:
    """[B] -> [B, 1, ..., 1], so that one number per image multiplies a batch of images."""
    return number.reshape(number.shape + (1,) * (image.ndim - number.ndim))
