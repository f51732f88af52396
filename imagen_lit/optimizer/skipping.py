"""Steps that an optimiser skips by itself, by torch's own convention (that of its GradScaler): its
attribute `found_inf` is 1 if the step has to change neither weights nor state. On an accelerator
it stays there, so that the host need not wait to know whether the gradients were finite.
"""

import torch
from torch import Tensor
from torch.optim import Optimizer

Skip = bool | Tensor  # a tensor, on the device, if only the device knows


def of(optimizer: Optimizer) -> Skip:
    """Whether the step has to change nothing; False if nobody said so."""
    flag: Tensor | None = getattr(optimizer, "found_inf", None)
    if flag is None:
        return False
    return bool(flag) if flag.device.type == "cpu" else flag.bool()


def replace_if(skip: Skip, values: list[Tensor], others: list[Tensor]) -> list[Tensor]:
    """The others, if it is skipped, else the values: unlike a product with zero, it stops a NaN."""
    if not isinstance(skip, Tensor):
        return values
    return [torch.where(skip, other, value) for value, other in zip(values, others, strict=True)]


def zeros_if(skip: Skip, values: list[Tensor]) -> list[Tensor]:
    """The values; zeros, if it is skipped."""
    if not isinstance(skip, Tensor):
        return values
    return [torch.where(skip, 0.0, value) for value in values]


def zero_if(skip: Skip, number: float) -> float | Tensor:
    """The number; 0, if it is skipped."""
    return torch.where(skip, 0.0, number) if isinstance(skip, Tensor) else number


def ones(skip: Skip, counts: list[Tensor]) -> list[Tensor]:
    """What each count of steps grows by: 1; 0, if it is skipped."""
    one = torch.where(skip, 0.0, 1.0) if isinstance(skip, Tensor) else torch.ones_like(counts[0])
    return [one] * len(counts)
