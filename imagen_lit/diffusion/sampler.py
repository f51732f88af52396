"""From noise to a picture: one loop, and samplers that supply one step of it.

A *sampler* is an object with `order`, how fast its error falls with the number of steps, and

    step(denoise, z, t, s, schedule, noise, memory) -> (z at s, memory)

which moves a batch from time t to an earlier time s < t. `denoise(z, t)` is the clean estimate,
already guided and thresholded; a step sees the network only through it, so a thresholded estimate
is the one used everywhere. `noise()` draws one standard normal like z; deterministic samplers never
call it. `memory` is whatever the sampler wants to find again at its next step, None at the first.

The three deterministic ones follow one probability-flow ODE (Song et al. 2021b) and differ in what
they take to be constant during a step: DDIM the clean estimate, Heun the mean velocity,
DPM-Solver++ the slope of the estimate in log-SNR. None divides by alpha, almost zero at t=1.

Shapes: pictures [B, ...], times [B].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from imagen_lit.diffusion.schedule import Schedule, alpha_sigma, per_picture

Denoise = Callable[[Tensor, Tensor], Tensor]  # (z [B, ...], t [B]) -> clean estimate
Noise = Callable[[], Tensor]
Memory = tuple[Tensor, Tensor] | None
Grid = Callable[
    [Schedule, int], Tensor
]  # (schedule, steps) -> steps + 1 times, falling from 1 to 0


class Sampler(Protocol):
    """What the loop asks of a sampler. A sentence for the reader; nothing inherits it."""

    order: ClassVar[int]
    step: Callable[
        [Denoise, Tensor, Tensor, Tensor, Schedule, Noise, Memory], tuple[Tensor, Memory]
    ]


def in_time(schedule: Schedule, steps: int) -> Tensor:
    """Times uniform in t. Imagen App. A."""
    return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


def in_logsnr(schedule: Schedule, steps: int) -> Tensor:
    """Times uniform in log-SNR. Lu et al. 2022 (DPM-Solver)."""
    low, high = schedule(torch.tensor([1.0, 0.0], dtype=torch.float64))
    times = schedule.inverse(torch.linspace(low, high, steps + 1, dtype=torch.float64))
    times[0], times[-1] = 1, 0
    return times


def trajectory(
    sampler: Sampler,
    denoise: Denoise,
    z: Tensor,
    schedule: Schedule,
    steps: int,
    noise: Callable[[int], Tensor],
    grid: Grid = in_time,
) -> Iterator[Tensor]:
    """Yield z after each of `steps` steps, from pure noise z at t=1 to a clean picture, the last.

    The closing step returns the clean estimate itself, without noise, whatever the sampler.
    `noise(i)` is the standard normal of step i. The grid is uniform in t, as in Imagen App. A,
    unless another is handed in.
    """
    if steps < 1:
        raise ValueError(f"trajectory(steps={steps}): expected at least one step; type steps=32.")
    times = grid(schedule, steps).to(z)
    *moves, (last, _) = pairwise(times.unsqueeze(1).expand(-1, len(z)))
    memory = None
    for i, (t, s) in enumerate(moves):
        z, memory = sampler.step(denoise, z, t, s, schedule, partial(noise, i), memory)
        yield z
    yield denoise(z, last)


@dataclass(frozen=True)
class Ancestral:
    """Draw z_s from q(z_s | z_t, x). Imagen App. A, eq. 6; Ho et al. 2020.

    The noise has the variance sigma^2_{s|t} of the exact posterior at gamma=0 and the larger
    sigma^2_{t|s} of the forward step at gamma=1, and a geometric mean between them.
    """

    order: ClassVar[int] = 1
    gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise ValueError(
                f"Ancestral(gamma={self.gamma}): the noise lies between two variances, expected "
                "0 <= gamma <= 1, for example gamma=0.3."
            )

    def step(
        self,
        denoise: Denoise,
        z: Tensor,
        t: Tensor,
        s: Tensor,
        schedule: Schedule,
        noise: Noise,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        here, there = per_picture(schedule(t), z), per_picture(schedule(s), z)
        alpha_t, sigma_t = alpha_sigma(here)
        alpha_s, sigma_s = alpha_sigma(there)
        lost = -torch.expm1(here - there)  # 1 - e^(logsnr_t - logsnr_s)
        mean = (1 - lost) * (alpha_s / alpha_t) * z + lost * alpha_s * denoise(z, t)
        std = lost.sqrt() * sigma_s ** (1 - self.gamma) * sigma_t**self.gamma
        return mean + std * noise(), None


@dataclass(frozen=True)
class DDIM:
    """Keep the clean estimate during the step. Song et al. 2021a, eq. 12; Imagen App. A, eq. 5."""

    order: ClassVar[int] = 1

    def step(
        self,
        denoise: Denoise,
        z: Tensor,
        t: Tensor,
        s: Tensor,
        schedule: Schedule,
        noise: Noise,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        return _flow(z, denoise(z, t), schedule(t), schedule(s)), None


@dataclass(frozen=True)
class Heun:
    """Take a DDIM step, look again, average the two velocities. After Karras et al. 2022, Alg. 1.

    As an angle, phi = atan(sigma / alpha), z = cos(phi) x + sin(phi) eps moves with the velocity
    v = alpha eps - sigma x. The chord between two angles, 2 tan(dphi / 2) times the mean of the
    velocities at its ends, is exact while x and eps stay, and of second order when they change.
    Karras's own variables, z/alpha and sigma/alpha, are thousands long at t=1 and lose the picture
    there. Costs two denoisings a step.
    """

    order: ClassVar[int] = 2

    def step(
        self,
        denoise: Denoise,
        z: Tensor,
        t: Tensor,
        s: Tensor,
        schedule: Schedule,
        noise: Noise,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        here, there = schedule(t), schedule(s)
        x = denoise(z, t)
        ahead = _flow(z, x, here, there)
        velocities = _velocity(z, x, here) + _velocity(ahead, denoise(ahead, s), there)
        turn = torch.atan(torch.exp(-there / 2)) - torch.atan(torch.exp(-here / 2))
        return z + per_picture(torch.tan(turn / 2), z) * velocities, None


@dataclass(frozen=True)
class DPMSolver:
    """DPM-Solver++(2M): second order for one denoising a step. Lu et al. 2022 ("++"), Alg. 2.

    A line in log-SNR through the previous and the present estimate, read at the middle of the step.
    Its memory is the previous estimate and where it was made; the first step is a DDIM step.
    """

    order: ClassVar[int] = 2

    def step(
        self,
        denoise: Denoise,
        z: Tensor,
        t: Tensor,
        s: Tensor,
        schedule: Schedule,
        noise: Noise,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        here, there = schedule(t), schedule(s)
        x = middle = denoise(z, t)
        if memory is not None:
            previous, before = memory
            half = per_picture((there - here) / (here - before) / 2, z)
            middle = x + half * (x - previous)
        return _flow(z, middle, here, there), (x, here)


def _flow(z: Tensor, x: Tensor, here: Tensor, there: Tensor) -> Tensor:
    """Follow the probability flow from one log-SNR to another, exactly, while the estimate stays x.

    alpha_s x + (sigma_s / sigma_t) (z - alpha_t x), Imagen App. A, eq. 5, with the two shares of x
    gathered into one that keeps its digits when the step is small.
    """
    here, there = per_picture(here, z), per_picture(there, z)
    (_, sigma_t), (alpha_s, sigma_s) = alpha_sigma(here), alpha_sigma(there)
    return sigma_s / sigma_t * z - alpha_s * torch.expm1((here - there) / 2) * x


def _velocity(z: Tensor, x: Tensor, logsnr: Tensor) -> Tensor:
    """alpha eps - sigma x, with eps the noise left in z when x is taken out."""
    alpha, sigma = alpha_sigma(per_picture(logsnr, z))
    return (alpha * z - x) / sigma
