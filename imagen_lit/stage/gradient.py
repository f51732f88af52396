"""The gradients of an update, all ranks' and all shards' together: how long, shortened, dropped."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def length(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The norm of all gradients as one vector; not finite where any of them is not."""
    total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return total.full_tensor() if isinstance(total, DTensor) else total


def shorten(parameters: Iterable[nn.Parameter], longest: float, length: Tensor) -> None:
    """Scale all gradients so that they are `longest` at most (Pascanu et al. 2013)."""
    torch.nn.utils.clip_grads_with_norm_(parameters, longest, length)


def drop(parameters: Iterable[nn.Parameter]) -> None:
    """Without gradients an optimiser leaves weights and its own memory as they are."""
    for parameter in parameters:
        parameter.grad = None
