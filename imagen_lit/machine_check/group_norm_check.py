"""The compiled GroupNorm whose weights got silently wrong gradients: pytorch issue 140913, with a
large batch in bf16 and four channels a group, the very shape of a base stage's highest level."""

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.machine_check import truth
from imagen_lit.machine_check.finding import Finding, compared

REAL, TINY = (256, 128, 64, 64), (4, 16, 8, 8)
WIDTH = 4  # channels of a group
EPS = 1e-5
CHUNK = 16  # images at once, in float32
MOST = 0.01
ADVICE = "Do not train with compile=... here: take another version of torch."


def gradient_is_right(device: torch.device, shape: tuple[int, ...], backend: str) -> Finding:
    """Gradients of scale and shift under autocast, compiled, against their definition in float32
    (Wu & He 2018, eq. 1 and 6; the derivative by hand)."""
    numbers = torch.Generator().manual_seed(0)
    x, dy = (_bf16(shape, numbers, device) for _ in range(2))
    weight, bias = (torch.ones(shape[1], device=device, requires_grad=True) for _ in range(2))

    def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.group_norm(x, shape[1] // WIDTH, weight, bias, EPS)

    with torch.autocast(device.type, torch.bfloat16):
        y = torch.compile(norm, backend=backend)(x, weight, bias)
    y.backward(dy.to(y.dtype))
    assert weight.grad is not None and bias.grad is not None
    apart = truth.difference([weight.grad, bias.grad], by_hand(x, dy))
    return compared(apart, MOST, "differs from its definition", ADVICE)


def by_hand(x: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of scale and shift: the sums of dy times the normed x, and of dy."""
    scale, shift = (torch.zeros(x.shape[1], dtype=torch.float64) for _ in range(2))
    for some, gradient in zip(x.split(CHUNK), dy.float().split(CHUNK), strict=True):
        groups = some.float().unflatten(1, (-1, WIDTH))
        centred = groups - groups.mean((2, 3, 4), keepdim=True)
        variance = centred.square().mean((2, 3, 4), keepdim=True)
        normed = (centred / (variance + EPS).sqrt()).flatten(1, 2)
        scale += (gradient * normed).sum((0, 2, 3)).cpu().double()
        shift += gradient.sum((0, 2, 3)).cpu().double()
    return scale, shift


def _bf16(shape: tuple[int, ...], numbers: torch.Generator, device: torch.device) -> Tensor:
    """Random numbers with a mean, as activations have, so that no gradient is close to zero."""
    return torch.randn(shape, generator=numbers).add_(0.5).to(device, torch.bfloat16)
