"""Muon: a matrix moves by the orthogonal matrix nearest to its momentum (Jordan et al. 2024).

A gradient's few large directions drown its many small ones; with all singular values made equal,
what is rarely needed (a shape, compared with a colour) is learnt as fast as what is always needed.
A convolution counts as the matrix [out, in * positions]. Vectors, and matrices with an edge below
`smallest`, are updated by AdamW with `plain_lr`.

Law: a step of a matrix has about the same size whatever its shape and whatever its gradient's scale
(Liu et al. 2025), so that learning rates compare with AdamW's: sqrt(mean square) is 0.2 lr once the
iterations have converged, and 0.14 to 0.23 lr after the three that we make. A gradient of low rank
gives a smaller step: directions that it lacks stay missing.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError

QUINTIC = (3.4445, -4.7750, 2.0315)  # steep at zero, and from 0.7 to 1.2 near one (Jordan et al.)


def orthogonalize(matrices: Tensor, steps: int) -> Tensor:
    """U V' of each matrix = U S V', approximately: [N, r, c] -> the same shape.

    Each step maps every singular value s to a s + b s^3 + c s^5. The steps work on the small
    squares X X', which are all they need from a long X.
    """
    a, b, c = QUINTIC
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-20)
    square = x @ x.mT
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device).expand_as(square)
    product = identity
    for _ in range(steps):
        factor = torch.baddbmm(a * identity + b * square, square, square, alpha=c)
        product, square = factor @ product, factor @ square @ factor
    x = product @ x
    return x.mT if is_tall else x


class Muon(Optimizer):
    """Two parameter groups: matrices by Muon, the rest by AdamW."""

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
        arguments.number("optimizer.lr", lr, 0)
        arguments.number("optimizer.plain_lr", plain_lr, 0)
        arguments.number("optimizer.weight_decay", weight_decay, 0)
        for name, share in {"momentum": momentum, "betas": betas[0]}.items():
            arguments.number(f"optimizer.{name}", share, 0, below=1)
        arguments.number("optimizer.betas", betas[1], 0, below=1)
        arguments.whole_number("optimizer.steps", steps, 1)
        matrices: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in parameters:
            if isinstance(parameter, DTensor):
                raise InputError(
                    "optimizer=muon needs whole matrices, and these weights are sharded over "
                    "devices. Set trainer=ddp, or optimizer=adamw."
                )
            edges = parameter.flatten(1).shape if parameter.ndim > 1 else (0,)
            (matrices if min(edges) >= smallest else plain).append(parameter)
        defaults = {"weight_decay": weight_decay}
        groups = [
            {"params": matrices, "lr": lr, "momentum": momentum, "steps": steps},
            {"params": plain, "lr": plain_lr, "betas": betas},
        ]
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every weight that has a gradient; the loss, if `closure` computes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            if "momentum" in group:
                self._muon(weights, group)
            else:
                self._adam(weights, group)
        return loss

    def _muon(self, matrices: list[Tensor], group: dict) -> None:
        gradients = cast(list[Tensor], [p.grad for p in matrices])
        momenta = [self._state(p, "momentum") for p in matrices]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        directions = torch._foreach_lerp(gradients, momenta, group["momentum"])  # Nesterov
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, direction in enumerate(directions):
            by_shape.setdefault(tuple(direction.flatten(1).shape), []).append(i)
        for shape, indices in by_shape.items():
            batch = torch.stack([directions[i].flatten(1).float() for i in indices])
            size = -0.2 * max(shape) ** 0.5 * group["lr"]
            for i, step in zip(indices, orthogonalize(batch, group["steps"]), strict=True):
                matrices[i].add_(step.reshape(matrices[i].shape), alpha=size)

    def _adam(self, weights: list[Tensor], group: dict) -> None:
        first, second = group["betas"]
        group["count"] = count = group.get("count", 0) + 1
        gradients = cast(list[Tensor], [p.grad for p in weights])
        means = [self._state(p, "mean") for p in weights]
        squares = [self._state(p, "square") for p in weights]
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        denominators = torch._foreach_div(squares, 1 - second**count)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, 1e-8)
        torch._foreach_addcdiv_(weights, means, denominators, -group["lr"] / (1 - first**count))

    def _state(self, parameter: Tensor, name: str) -> Tensor:
        """An average stored for a parameter, zero at first."""
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        return state[name]
