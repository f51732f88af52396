"""Means over the axes of many weights at once, each of which may be sharded over devices.

Each device sums its own shards; all sums that need those of other devices travel in one message.
So a mean is the same whether a weight lies on one device or is sharded over many, also in parts of
unequal length.
"""

import math
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor, Replicate, Shard

Axes = tuple[int, ...]


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that lies on this device; it shares its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sharded_axis(tensor: Tensor) -> int | None:
    """The axis along which it is split; None if it lies here as a whole."""
    if not isinstance(tensor, DTensor):
        return None
    axes = [each.dim for each in tensor.placements if isinstance(each, Shard)]
    return axes[0] if axes else None


def zeros(like: Tensor, over: Axes) -> Tensor:
    """Zeros of the shape that a mean over these axes has, sharded as the weight is."""
    shape = [1 if axis in over else length for axis, length in enumerate(like.shape)]
    if not isinstance(like, DTensor):
        return like.new_zeros(shape)
    placements = [
        Replicate() if isinstance(each, Shard) and each.dim in over else each
        for each in like.placements
    ]
    return torch.distributed.tensor.zeros(
        shape, dtype=like.dtype, device_mesh=like.device_mesh, placements=placements
    )


def means(
    values: Sequence[Tensor], weights: Sequence[Tensor], over: Sequence[Axes]
) -> list[Tensor]:
    """The mean over its axes of each value, of which this is the local part; it has the axes of a
    weight, as long as there or of length 1. Those of the mean stay, with length 1."""
    if not values:
        return []
    sums = [
        value.sum(axes, keepdim=True) if axes else value
        for value, axes in zip(values, over, strict=True)
    ]
    split = [
        i
        for i, (value, weight, axes) in enumerate(zip(values, weights, over, strict=True))
        if sharded_axis(weight) in axes
    ]
    if split:
        _add_up(sums, split, weights[split[0]])
    lengths = [math.prod(w.shape[a] for a in axes) for w, axes in zip(weights, over, strict=True)]
    return torch._foreach_div(sums, [float(length) for length in lengths])


def _add_up(sums: list[Tensor], split: list[int], weight: Tensor) -> None:
    """Replace these sums by their totals over the devices of a weight's mesh."""
    assert isinstance(weight, DTensor)
    mesh_axis = next(n for n, each in enumerate(weight.placements) if isinstance(each, Shard))
    flat = torch.cat([sums[i].flatten() for i in split])
    dist.all_reduce(flat, group=weight.device_mesh.get_group(mesh_axis))
    for i, part in zip(split, flat.split([sums[i].numel() for i in split]), strict=True):
        sums[i] = part.view(sums[i].shape)
