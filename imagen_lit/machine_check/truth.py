"""How far an answer is from the truth, and how far it may be."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

FLOAT32 = 1e-4  # rounding of some dozen layers
TF32 = 5e-3  # CUDA's convolutions keep 10 bits, unless they are told otherwise
BFLOAT16 = 0.1  # 8 bits; gradients of tiny networks are 0.01 to 0.04 apart
LOSS = 0.02  # of a loss in bf16, against float32's


def tolerance(device: torch.device) -> float:
    """Of float32 computations on the device, against the CPU's."""
    return TF32 if device.type == "cuda" else FLOAT32


def difference(answers: Iterable[Tensor], truths: Iterable[Tensor]) -> float:
    """The distance of all numbers as one vector, relative to the truth's length; on the CPU."""
    apart, length = 0.0, 0.0
    for answer, truth in zip(answers, truths, strict=True):
        there, here = answer.detach().cpu().double(), truth.detach().cpu().double()
        apart += float((there - here).square().sum())
        length += float(here.square().sum())
    return (apart / max(length, 1e-30)) ** 0.5


def gradients(module: nn.Module) -> list[Tensor]:
    """Of its weights, those that have one."""
    return [p.grad for p in module.parameters() if p.grad is not None]


def fill_zero_layers(module: nn.Module) -> None:
    """A network starts with zero layers, which would hide everything before them."""
    numbers = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        if not parameter.any():
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=numbers)
