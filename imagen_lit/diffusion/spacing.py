"""Where the steps of a sampler lie: at which times, from noise at t=1 to the clean image at t=0.

A *spacing* is a callable (schedule, steps) -> steps + 1 times, falling from 1 to 0, and
`highest_order`, the highest order of convergence that a sampler keeps on it (0: none). Samplers of
second order need steps in log-SNR that shrink everywhere with their number. Uniform in time they do
not: between the last two times before 0 it rises by about 2 log 2, however many there are, and the
noise that is left for the last step falls ever more slowly.

The times of `LogSNR` and `EDM` end at a small noise, from which the last step gives the clean
estimate; beyond what the schedule has near t=0 they do not go.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.schedule import Schedule

LAST = 1e-4  # no time before 0 is smaller


class Spacing(Protocol):
    """What a recipe needs from a spacing. For the reader; nothing inherits from it."""

    @property
    def highest_order(self) -> int:
        """The highest order of convergence that a sampler keeps on it."""

    def __call__(self, schedule: Schedule, steps: int) -> Tensor:
        """Times [steps + 1], falling from 1 to 0."""


@dataclass(frozen=True)
class Time:
    """Uniform in t. Imagen App. A."""

    highest_order: ClassVar[int] = 1

    def __call__(self, schedule: Schedule, steps: int) -> Tensor:
        """The times."""
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


@dataclass(frozen=True)
class Timesteps:
    """Uniform in the numbers of the steps of a discrete process, from the last to the first, and
    each of them one of its own: DeepFloyd IF. Number n is the time (n + 1) / count. There are only
    so many, and so there is no order."""

    highest_order: ClassVar[int] = 0
    count: int = 1000

    def __call__(self, schedule: Schedule, steps: int) -> Tensor:
        """The times."""
        if steps > self.count:
            raise InputError(
                f"recipe.steps={steps} is more than the {self.count} steps of the discrete "
                f"process. Set recipe.steps={self.count} or less, or spacing=time."
            )
        last = self.count - 1
        numbers = torch.linspace(last, 0 if steps > 1 else last, steps, dtype=torch.float64)
        return torch.cat([(numbers.round() + 1) / self.count, numbers.new_zeros(1)])


@dataclass(frozen=True)
class LogSNR:
    """Uniform in log-SNR between -limit and limit. Lu et al. 2022 (DPM-Solver), § 3.3."""

    highest_order: ClassVar[int] = 2
    limit: float = 12.0

    def __post_init__(self) -> None:
        arguments.positive_number("spacing.limit", self.limit)

    def __call__(self, schedule: Schedule, steps: int) -> Tensor:
        """The times."""
        low, high = _ends(schedule, -self.limit, self.limit)
        return _times(schedule, torch.linspace(low, high, steps, dtype=torch.float64))


@dataclass(frozen=True)
class EDM:
    """Uniform in (sigma / alpha)^(1 / rho), from sigma_max to sigma_min. Karras et al. 2022, eq. 5.

    A larger rho puts more steps near the clean image.
    """

    highest_order: ClassVar[int] = 2
    rho: float = 7.0
    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def __post_init__(self) -> None:
        arguments.positive_number("spacing.rho", self.rho)
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise InputError(
                f"spacing.sigma_min={self.sigma_min} and spacing.sigma_max={self.sigma_max} are "
                "not two noise levels with 0 < sigma_min < sigma_max. Set sigma_min=0.002 "
                "sigma_max=80, for example."
            )

    def __call__(self, schedule: Schedule, steps: int) -> Tensor:
        """The times."""
        logsnrs = (-2 * math.log(sigma) for sigma in (self.sigma_max, self.sigma_min))
        high, low = (math.exp(-logsnr / 2) for logsnr in _ends(schedule, *logsnrs))
        ends = high ** (1 / self.rho), low ** (1 / self.rho)
        roots = torch.linspace(*ends, steps, dtype=torch.float64)
        return _times(schedule, -2 * self.rho * torch.log(roots))


def _ends(schedule: Schedule, low: float, high: float) -> tuple[float, float]:
    """The log-SNRs, where the schedule has them."""
    first, last = schedule(torch.tensor([1.0, LAST], dtype=torch.float64)).tolist()
    return max(low, first), min(high, last)


def _times(schedule: Schedule, logsnrs: Tensor) -> Tensor:
    """Begin in pure noise, whatever the first log-SNR: an image's mean is still in that one."""
    return torch.cat([logsnrs.new_ones(1), schedule.inverse(logsnrs[1:]), logsnrs.new_zeros(1)])
