"""Muon: a matrix moves by the nearest orthogonal matrix to its momentum (Jordan et al. 2024).

A gradient's few large directions drown its many small ones; with all singular values made equal,
what is seldom asked for (a shape, beside a colour) is learnt as fast as what is asked for always.
A convolution counts as the matrix [out, in * places]. Vectors, and matrices with an edge below
`smallest`, follow AdamW at `plain_lr`.

Law: a step of a matrix has the same size, sqrt(mean square) = 0.2 lr, whatever its shape and
whatever its gradient's scale (Liu et al. 2025), so that learning rates compare with AdamW's.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

QUINTIC = (3.4445, -4.7750, 2.0315)  # steep at zero, and from 0.7 to 1.2 near one (Jordan et al.)


def orthogonal(matrices: Tensor, steps: int) -> Tensor:
    """U V' of each matrix = U S V', nearly: [N, r, c] -> the same.

    Each step sends every singular value s to a s + b s^3 + c s^5. The steps are taken by the small
    squares X X' alone, which is all that they need of a long X.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-20)
    square = x @ x.mT
    one = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand_as(square)
    turn = one
    for _ in range(steps):
        factor = torch.baddbmm(a * one + b * square, square, square, alpha=c)
        turn, square = factor @ turn, factor @ square @ factor
    x = turn @ x
    return x.mT if tall else x


class Muon(Optimizer):
    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        plain_lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
        steps: int = 3,
        smallest: int = 16,
    ) -> None:
        matrices: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in parameters:
            if isinstance(parameter, DTensor):
                raise ValueError(
                    "Muon turns whole matrices and found weights that are shared out over devices: "
                    "type trainer=ddp, or optimizer=adamw"
                )
            edges = parameter.flatten(1).shape if parameter.ndim > 1 else (0,)
            (matrices if min(edges) >= smallest else plain).append(parameter)
        shared = {"weight_decay": weight_decay}
        groups = [
            {"params": matrices, "lr": lr, "momentum": momentum, "steps": steps},
            {"params": plain, "lr": plain_lr, "betas": betas},
        ]
        super().__init__([group for group in groups if group["params"]], shared)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            if moving:
                torch._foreach_mul_(moving, 1 - group["lr"] * group["weight_decay"])
                self._turn(moving, group) if "momentum" in group else self._adam(moving, group)
        return loss

    def _turn(self, matrices: list[Tensor], group: dict) -> None:
        gradients = cast(list[Tensor], [p.grad for p in matrices])
        pasts = [self._kept(p, "momentum") for p in matrices]
        torch._foreach_lerp_(pasts, gradients, 1 - group["momentum"])
        ahead = torch._foreach_lerp(gradients, pasts, group["momentum"])  # Nesterov
        alike: dict[tuple[int, ...], list[int]] = {}
        for i, direction in enumerate(ahead):
            alike.setdefault(tuple(direction.flatten(1).shape), []).append(i)
        for shape, numbers in alike.items():
            stacked = torch.stack([ahead[i].flatten(1).float() for i in numbers])
            size = -0.2 * max(shape) ** 0.5 * group["lr"]
            for i, step in zip(numbers, orthogonal(stacked, group["steps"]), strict=True):
                matrices[i].add_(step.reshape(matrices[i].shape), alpha=size)

    def _adam(self, plain: list[Tensor], group: dict) -> None:
        first, second = group["betas"]
        group["count"] = count = group.get("count", 0) + 1
        gradients = cast(list[Tensor], [p.grad for p in plain])
        means = [self._kept(p, "mean") for p in plain]
        squares = [self._kept(p, "square") for p in plain]
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        below = torch._foreach_div(squares, 1 - second**count)
        torch._foreach_sqrt_(below)
        torch._foreach_add_(below, 1e-8)
        torch._foreach_addcdiv_(plain, means, below, -group["lr"] / (1 - first**count))

    def _kept(self, parameter: Tensor, name: str) -> Tensor:
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        return state[name]
