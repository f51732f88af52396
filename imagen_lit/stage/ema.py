"""The average of a network over its recent past, in images seen.

The follower is a resident: a second, frozen network that is never swapped for anything.
Law: following a network that stands still, it becomes that network.
"""

import torch
from torch import Tensor, nn


def decay(batch: int, images_seen: int, half_life: float, ramp: float = 0.05) -> float:
    """How much of the average survives a batch. Early on the half-life is `ramp` of what was seen,
    so that the first, random weights are soon forgotten (Karras et al. 2024, EDM2, reference
    settings)."""
    lasting = min(half_life, max(ramp * images_seen, 1e-8))
    return 0.5 ** (batch / lasting)


@torch.no_grad()
def follow(follower: nn.Module, leader: nn.Module, decay: float) -> None:
    """follower = decay * follower + (1 - decay) * leader, for weights; buffers are copied."""
    behind: list[Tensor] = list(follower.parameters())
    ahead: list[Tensor] = list(leader.parameters())
    torch._foreach_lerp_(behind, ahead, 1 - decay)
    for there, here in zip(follower.buffers(), leader.buffers(), strict=True):
        there.copy_(here)
