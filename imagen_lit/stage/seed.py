"""Where an image's noise comes from: a seed, or a place on the way from one seed to another.

Between seeds the noise goes along a great circle, cos(a) e + sin(a) f with the angle a = share *
pi/2 (slerp: Shoemake 1985): as e and f are independent and standard normal, so is every mixture,
where a straight line would shrink it. Shares 0 and 1 are the seeds themselves, bit for bit.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from imagen_lit.diffusion import noise


class Between(NamedTuple):
    """The share of the way from the first seed to the second."""

    first: int
    second: int
    share: float

    def __str__(self) -> str:
        return f"{self.first}-{self.second}-{self.share:g}"


Seed = int | Between


def normal(
    seeds: Sequence[Seed], purpose: str, shape: Sequence[int], device: torch.device
) -> Tensor:
    """Standard normal numbers [B, *shape] for each seed."""
    places = [each if isinstance(each, Between) else Between(each, each, 0.0) for each in seeds]
    first = _there([each.first for each in places], device)
    eps = noise.normal(0, first, purpose, shape)
    shares = [0.0 if each.first == each.second else each.share for each in places]
    if not any(shares):
        return eps
    second = _there([each.second for each in places], device)
    other = noise.normal(0, second, purpose, shape)
    share = _there(shares, device).to(eps.dtype).view(-1, *[1] * len(shape))
    rest, part = (torch.sin(each * (math.pi / 2)) for each in (1 - share, share))
    return rest * eps + part * other


def _there(numbers: list[int] | list[float], device: torch.device) -> Tensor:
    """On the device, without waiting for it."""
    return torch.tensor(numbers).to(device, non_blocking=True)
