"""EMA: the exponential moving average of a network's weights, with a half-life in images.

The average lives in a second, frozen network that is never swapped with the trained one.
Law: the average of a network that does not change converges to that network.
"""

import torch
from torch import Tensor, nn


def decay(batch: int, images_seen: int, half_life: float, ramp: float = 0.05) -> float:
    """How much of the average remains after a batch. Early on the half-life is `ramp` of the images
    seen, so that the first, random weights are soon forgotten (Karras et al. 2024, EDM2, reference
    settings)."""
    half_life = min(half_life, max(ramp * images_seen, 1e-8))
    return 0.5 ** (batch / half_life)


@torch.no_grad()
def update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """average = decay * average + (1 - decay) * model, for weights; buffers are copied."""
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(model.parameters())
    torch._foreach_lerp_(averages, weights, 1 - decay)
    for target, source in zip(average.buffers(), model.buffers(), strict=True):
        target.copy_(source)
