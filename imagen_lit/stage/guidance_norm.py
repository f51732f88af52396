"""How far guidance has to lead: the root mean square of the difference between the conditional and
the reference estimate, at each evaluation of both.

Guidance multiplies this difference (imagen_lit/diffusion/guidance.py); where it is small, a large
weight changes little.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from imagen_lit.diffusion.guidance import Denoise, Guidance, Pair


@dataclass(frozen=True)
class ObservedGuidance:
    """The same guidance, bit for bit; `each_norm` is called with the norms [B] of each pair that it
    asks for. Without guidance it asks for none."""

    guidance: Guidance
    each_norm: Callable[[Tensor], None]

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""

        def observed(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            estimate, reference = pair(z, t)
            difference = (estimate - reference).detach().float()
            self.each_norm(difference.square().flatten(1).mean(1).sqrt())
            return estimate, reference

        return self.guidance.guide(conditional, observed)
