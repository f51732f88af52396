"""What guidance leads away from: another estimate of the same image, at the same noise level.

It differs from the conditional estimate in what is read, in who reads it, or in both: no text
(classifier-free guidance, Imagen § 2.2), another text (a negative prompt), or a smaller or earlier
network (auto-guidance, Karras et al. 2024).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_lit.diffusion.guidance import Pair
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.denoiser import Denoiser


@dataclass(frozen=True)
class Reference:
    """The estimate that `denoiser` makes from `condition`."""

    denoiser: Denoiser
    condition: Condition

    def pair(self, denoiser: Denoiser, condition: Condition) -> Pair:
        """(z, t) -> the estimate that is guided, and this one: of one network, from one batched
        forward pass."""
        if self.denoiser is denoiser:
            both = denoiser.bind(condition.concat(self.condition))

            def pair(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
                estimate, reference = both(torch.cat([z, z]), torch.cat([t, t])).chunk(2)
                return estimate, reference

            return pair
        own, other = denoiser.bind(condition), self.denoiser.bind(self.condition)
        return lambda z, t: (own(z, t), other(z, self._time(denoiser, t)))

    def _time(self, denoiser: Denoiser, t: Tensor) -> Tensor:
        """When this network's schedule has the noise that the other's has at t."""
        one, other = denoiser.schedule, self.denoiser.schedule
        return t if one == other else other.inverse(one(t))
