"""From noise to an image: one loop, and samplers that supply one step of it.

A *sampler* is an object with `order`, how fast its error falls with the number of steps where these
shrink everywhere in log-SNR, and

    step(denoise, z, step, noise, memory) -> (z at s, memory)

which moves a batch from time t to an earlier time s < t. `denoise(z, t)` is the clean estimate,
already guided and thresholded; a step sees the network only through it, so the thresholded estimate
is used everywhere. `noise()` draws one standard normal like z; deterministic samplers never call
it. `memory` is whatever the sampler needs at its next step, None at the first.

The three deterministic ones follow one probability-flow ODE (Song et al. 2021b) and differ in what
they hold constant during a step: DDIM the clean estimate, Heun the mean velocity, DPM-Solver++ the
slope of the estimate in log-SNR. None divides by alpha, which is almost zero at t=1.

Shapes: images [B, ...], times [B].
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.schedule import Schedule, alpha_sigma, per_image

Denoise = Callable[[Tensor, Tensor], Tensor]  # (z [B, ...], t [B]) -> clean estimate
Noise = Callable[[], Tensor]
Memory = tuple[Tensor, Tensor] | None
State = tuple[Tensor, Memory]  # after a step
Spacing = Callable[[Schedule, int], Tensor]  # (schedule, steps) -> steps + 1 times, from 1 to 0
Legs = Callable[[int, int], Iterable[tuple[int, int]]]  # imagen_lit/diffusion/jumps.py


def straight(first: int, last: int) -> Iterable[tuple[int, int]]:
    """From each position to the next, and never back."""
    return pairwise(range(first, last + 1))


class Step(NamedTuple):
    """From time t to an earlier time s, with the log-SNR at both; each [B]. The times are on the
    CPU, so that who decides by them reads from no accelerator; the log-SNRs are where z is."""

    t: Tensor
    s: Tensor
    logsnr_t: Tensor
    logsnr_s: Tensor


class Sampler(Protocol):
    """What the loop needs from a sampler. For the reader; nothing inherits from it."""

    @property
    def order(self) -> int:
        """The order of convergence in the number of steps; a spacing may allow less."""

    def step(self, denoise: Denoise, z: Tensor, step: Step, noise: Noise, memory: Memory) -> State:
        """Move z from time t to time s."""


def trajectory(
    sampler: Sampler,
    denoise: Denoise,
    z: Tensor,
    schedule: Schedule,
    steps: int,
    noise: Callable[[int], Tensor],
    spacing: Spacing,
    first: int = 0,
    legs: Legs = straight,
) -> Iterator[Tensor]:
    """Yield z after each step, from z at the time in position `first` of `steps` (0: pure noise at
    t=1) to, last, a clean image.

    The last step returns the clean estimate itself, without noise, whatever the sampler.
    `noise(i)` is the standard normal of leg i of the way, `spacing` says where the steps lie
    (imagen_lit/diffusion/spacing.py), and `legs` which of them are walked again.
    """
    if steps < 1:
        raise InputError(f"steps={steps} is less than one step. Set steps=32, for example.")
    times = spacing(schedule, steps).to(z.dtype).unsqueeze(1).expand(-1, len(z))
    there = times.to(z.device, non_blocking=True)
    memory = None
    for leg, (i, j) in enumerate(legs(first, steps - 1)):
        step = Step(times[i], times[j], schedule(there[i]), schedule(there[j]))
        if j < i:
            z, memory = _noisier(z, step, noise(leg)), None
        else:
            z, memory = sampler.step(denoise, z, step, partial(noise, leg), memory)
            yield z
    yield denoise(z, times[steps - 1])


@dataclass(frozen=True)
class Ancestral:
    """Draw z_s from q(z_s | z_t, x). Imagen App. A, eq. 6; Ho et al. 2020.

    The noise has the variance sigma^2_{s|t} of the exact posterior at gamma=0, the larger
    sigma^2_{t|s} of the forward step at gamma=1, and a geometric mean in between. None: what the
    network says, for each value (Nichol & Dhariwal 2021, eq. 15); `denoise` has it as its `gamma`.
    """

    order: ClassVar[int] = 1
    gamma: float | None = 0.0

    def __post_init__(self) -> None:
        if self.gamma is not None and not 0 <= self.gamma <= 1:
            raise InputError(
                f"gamma={self.gamma} is not between 0 and 1, the two variances of the noise. "
                "Set gamma=0.3, for example."
            )

    def step(self, denoise: Denoise, z: Tensor, step: Step, noise: Noise, memory: Memory) -> State:
        """Mix z and the clean estimate, and add noise."""
        logsnr_t, logsnr_s = per_image(step.logsnr_t, z), per_image(step.logsnr_s, z)
        alpha_t, sigma_t = alpha_sigma(logsnr_t)
        alpha_s, sigma_s = alpha_sigma(logsnr_s)
        rest = torch.exp(logsnr_t - logsnr_s)  # 1 - ratio, which would lose all digits at t=1
        ratio = -torch.expm1(logsnr_t - logsnr_s)  # sigma^2_{t|s} / sigma^2_t
        x = denoise(z, step.t)
        gamma = _learned_gamma(denoise) if self.gamma is None else self.gamma
        mean = rest * (alpha_s / alpha_t) * z + ratio * alpha_s * x
        std = ratio.sqrt() * sigma_s ** (1 - gamma) * sigma_t**gamma
        return mean + std * noise(), None


@dataclass(frozen=True)
class DDIM:
    """Hold the clean estimate during the step. Song et al. 2021a, eq. 12; Imagen App. A, eq. 5."""

    order: ClassVar[int] = 1

    def step(self, denoise: Denoise, z: Tensor, step: Step, noise: Noise, memory: Memory) -> State:
        """Follow the flow with the estimate at t."""
        return _flow(z, denoise(z, step.t), step.logsnr_t, step.logsnr_s), None


@dataclass(frozen=True)
class Heun:
    """Take a DDIM step, estimate again, average the velocities. After Karras et al. 2022, Alg. 1.

    As an angle, phi = atan(sigma / alpha), z = cos(phi) x + sin(phi) eps moves with the velocity
    v = alpha eps - sigma x. The chord between two angles, 2 tan(dphi / 2) times the mean of the
    velocities at its ends, is exact if x and eps are constant, and of second order if they change.
    Karras's own variables, z/alpha and sigma/alpha, reach thousands at t=1, where their digits no
    longer hold the image. Costs two network evaluations per step.
    """

    order: ClassVar[int] = 2

    def step(self, denoise: Denoise, z: Tensor, step: Step, noise: Noise, memory: Memory) -> State:
        """Follow the mean velocity of both ends."""
        x = denoise(z, step.t)
        z_s = _flow(z, x, step.logsnr_t, step.logsnr_s)
        velocity_t = _velocity(z, x, step.logsnr_t)
        velocity_s = _velocity(z_s, denoise(z_s, step.s), step.logsnr_s)
        angle = torch.atan(torch.exp(-step.logsnr_s / 2)) - torch.atan(
            torch.exp(-step.logsnr_t / 2)
        )
        return z + per_image(torch.tan(angle / 2), z) * (velocity_t + velocity_s), None


@dataclass(frozen=True)
class DPMSolver:
    """DPM-Solver++(2M): second order with one network evaluation per step. Lu et al. 2022 ("++"),
    Alg. 2.

    The previous and the current estimate are extrapolated linearly in log-SNR to the middle of the
    step. Its memory is the previous estimate and its log-SNR; the first step is a DDIM step.
    """

    order: ClassVar[int] = 2

    def step(self, denoise: Denoise, z: Tensor, step: Step, noise: Noise, memory: Memory) -> State:
        """Follow the flow with the estimate at the middle of the step."""
        x = middle = denoise(z, step.t)
        if memory is not None:
            previous, logsnr_previous = memory
            ratio = (step.logsnr_s - step.logsnr_t) / (step.logsnr_t - logsnr_previous) / 2
            middle = x + per_image(ratio, z) * (x - previous)
        return _flow(z, middle, step.logsnr_t, step.logsnr_s), (x, step.logsnr_t)


def _learned_gamma(denoise: Denoise) -> Tensor:
    """What the network has just said of the noise."""
    gamma: Tensor | None = getattr(denoise, "gamma", None)
    if gamma is None:
        raise InputError(
            "recipe.sampler.gamma=null takes the variance that a network has learned, and this one "
            "has learned none. Set recipe.sampler.gamma=0, for example."
        )
    return gamma


def _flow(z: Tensor, x: Tensor, logsnr_t: Tensor, logsnr_s: Tensor) -> Tensor:
    """Follow the probability flow from one log-SNR to another, exact for a constant estimate x.

    alpha_s x + (sigma_s / sigma_t) (z - alpha_t x), Imagen App. A, eq. 5, with the two terms of x
    merged into one that keeps its digits when the step is small.
    """
    logsnr_t, logsnr_s = per_image(logsnr_t, z), per_image(logsnr_s, z)
    (_, sigma_t), (alpha_s, sigma_s) = alpha_sigma(logsnr_t), alpha_sigma(logsnr_s)
    return sigma_s / sigma_t * z - alpha_s * torch.expm1((logsnr_t - logsnr_s) / 2) * x


def _noisier(z: Tensor, step: Step, eps: Tensor) -> Tensor:
    """Draw z at the later time s from q(z_s | z_t): the forward process. Imagen App. A."""
    logsnr_t, logsnr_s = per_image(step.logsnr_t, z), per_image(step.logsnr_s, z)
    (alpha_t, _), (alpha_s, sigma_s) = alpha_sigma(logsnr_t), alpha_sigma(logsnr_s)
    std = sigma_s * (-torch.expm1(logsnr_s - logsnr_t)).sqrt()
    return alpha_s / alpha_t * z + std * eps


def _velocity(z: Tensor, x: Tensor, logsnr: Tensor) -> Tensor:
    """alpha eps - sigma x, with eps = (z - alpha x) / sigma."""
    alpha, sigma = alpha_sigma(per_image(logsnr, z))
    return (alpha * z - x) / sigma
