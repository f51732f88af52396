"""Muon: a matrix moves by the orthogonal matrix nearest to its momentum (Jordan et al. 2024).

A gradient's few large directions drown its many small ones; with all singular values made equal,
what is rarely needed (a shape, compared with a colour) is learnt as fast as what is always needed.
A convolution counts as the matrix [out, positions * in], as it lies in memory (channels last).
Vectors, and matrices with an edge below `smallest`, are updated by AdamW with `plain_lr`.

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
from torch.optim.adamw import adamw

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.optimizer import skipping
from imagen_lit.optimizer.skipping import Skip

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
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    factor = torch.baddbmm(a * identity + b * square, square, square, alpha=c)
    product = factor
    for _ in range(steps - 1):
        square = factor @ square @ factor
        factor = torch.baddbmm(a * identity + b * square, square, square, alpha=c)
        product = factor @ product
    x = product @ x
    return x.mT if is_tall else x


def as_matrix(weight: Tensor) -> Tensor:
    """[out, …] -> [out, all else]; of a convolution in channels-last, a view."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight.flatten(1)


def as_weight(matrix: Tensor, weight: Tensor) -> Tensor:
    """The inverse, in the shape of a weight."""
    if weight.ndim != 4:
        return matrix.reshape(weight.shape)
    out, channels, *edges = weight.shape
    return matrix.reshape(out, *edges, channels).permute(0, 3, 1, 2)


class Muon(Optimizer):
    """Two parameter groups: matrices by Muon, the rest by torch's AdamW."""

    _step_supports_amp_scaling = True  # see skipping.py

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
        skip = skipping.of(self)
        if skip is True:
            return loss
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if weights:
                (self._muon if "momentum" in group else self._adamw)(weights, group, skip)
        return loss

    def _muon(self, matrices: list[Tensor], group: dict, skip: Skip) -> None:
        momenta = [self._average(p, "momentum") for p in matrices]
        gradients = skipping.replace_if(
            skip, cast(list[Tensor], [p.grad for p in matrices]), momenta
        )
        lr = skipping.zero_if(skip, group["lr"])
        torch._foreach_mul_(matrices, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        directions = torch._foreach_lerp(gradients, momenta, group["momentum"])  # Nesterov
        by_shape: dict[tuple[int, int], list[int]] = {}
        for i, direction in enumerate(directions):
            shape = len(direction), direction[0].numel()
            by_shape.setdefault(shape, []).append(i)
        steps: dict[int, Tensor] = {}
        for shape, indices in by_shape.items():
            batch = torch.stack([as_matrix(directions[i]).float() for i in indices])
            batch = orthogonalize(batch, group["steps"]) * (0.2 * max(shape) ** 0.5 * lr)
            steps |= dict(zip(indices, batch.unbind(), strict=True))
        torch._foreach_sub_(matrices, [as_weight(steps[i], p) for i, p in enumerate(matrices)])

    def _adamw(self, weights: list[Tensor], group: dict, skip: Skip) -> None:
        counts = [self._count(p, group) for p in weights]
        adamw(
            weights,
            cast(list[Tensor], [p.grad for p in weights]),
            [self._average(p, "mean") for p in weights],
            [self._average(p, "square") for p in weights],
            [],
            counts,
            fused=True,
            found_inf=skip.float() if isinstance(skip, Tensor) else None,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def _average(self, parameter: Tensor, name: str) -> Tensor:
        """An average stored for a parameter, zero at first."""
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        return state[name]

    def _count(self, parameter: Tensor, group: dict) -> Tensor:
        """The number of its steps. Earlier versions had one number for all, in the group."""
        state = self.state[parameter]
        if "count" not in state:
            state["count"] = parameter.new_full((), group.get("count", 0))
        return state["count"]
