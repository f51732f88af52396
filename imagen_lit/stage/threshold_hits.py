"""How much a threshold has to do: the share of an image's values that its clean estimate has beyond
[-1, 1], at each evaluation of the network while it is drawn.

Guidance pushes estimates there (Imagen § 2.3), where a threshold flattens or rescales them.
"""

import torch
from torch import Tensor


class ThresholdHits:
    """Called with each estimate [B, ...], before its threshold; reads nothing from an accelerator
    until it is asked."""

    def __init__(self) -> None:
        self._shares: list[Tensor] = []

    def __call__(self, x: Tensor) -> None:
        """Remember the shares [B] of this estimate."""
        self._shares.append((x.detach().abs() > 1).flatten(1).float().mean(1))

    def by_image(self) -> list[list[float]]:
        """For each image its shares, from the first evaluation to the last."""
        return torch.stack(self._shares, 1).tolist() if self._shares else []
