"""Gradient clipping: the norm of an update's gradients, over all ranks and shards, is clipped to a
maximum; a step whose gradients are not finite is skipped."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer


def norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The norm of all gradients as one vector; not finite if any of them is not."""
    total = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return total.full_tensor() if isinstance(total, DTensor) else total


def clip(parameters: Iterable[nn.Parameter], max_norm: float, norm: Tensor) -> None:
    """Scale all gradients so that their norm is at most `max_norm` (Pascanu et al. 2013)."""
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def skip_step_if(flag: Tensor, optimizer: Optimizer, parameters: Iterable[nn.Parameter]) -> None:
    """Let the next step change nothing if `flag`, a boolean on the device, is true.

    That is left to the device where an optimiser can skip a step by itself. Torch's GradScaler
    finds out in the same way: `_step_supports_amp_scaling` is true of Muon, of Adafactor, and of
    torch's with `fused=True`. From others the gradients are taken away, and the host has to wait.
    """
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.found_inf = flag.float()  # type: ignore[attr-defined]
    elif flag:
        for parameter in parameters:
            parameter.grad = None
