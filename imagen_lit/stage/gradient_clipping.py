"""Gradient clipping: the norm of an update's gradients, over all ranks and shards, is clipped to a
maximum, or the gradients are dropped."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The norm of all gradients as one vector; not finite if any of them is not."""
    total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return total.full_tensor() if isinstance(total, DTensor) else total


def clip(parameters: Iterable[nn.Parameter], max_norm: float, norm: Tensor) -> None:
    """Scale all gradients so that their norm is at most `max_norm` (Pascanu et al. 2013)."""
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def drop(parameters: Iterable[nn.Parameter]) -> None:
    """Remove all gradients; without them an optimiser changes neither weights nor its state."""
    for parameter in parameters:
        parameter.grad = None
