"""Gradient clipping: the norm of an update's gradients, over all ranks and shards; clipped to a
maximum, or dropped."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The norm of all gradients as one vector; not finite if any of them is not."""
    total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return total.full_tensor() if isinstance(total, DTensor) else total


def clip(parameters: Iterable[nn.Parameter], max_norm: float, norm: Tensor) -> None:
    """Scale all gradients so that their norm is `max_norm` at most (Pascanu et al. 2013)."""
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def drop(parameters: Iterable[nn.Parameter]) -> None:
    """Without gradients an optimiser leaves weights and its own state as they are."""
    for parameter in parameters:
        parameter.grad = None
