"""Adafactor as Imagen's base is trained with it (App. F.1) and as in optax: it stores a row and a
column where Adam stores a matrix (Shazeer & Stern 2018, algorithm 4).

The two longest axes of a weight are its rows and columns, if both are at least `factor_from` long;
all other axes (the positions of a convolution) stay separate. A step is clipped to the root mean
square `clip`, then scaled by that of the weight itself, so `lr` is the largest share of its size by
which a weight moves.

Law: the step is the same whether a weight lies on one device or is sharded over many.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate
from torch.optim import Optimizer

from imagen_lit.basics import arguments


def axes(shape: Iterable[int], factor_from: int) -> tuple[int, int] | None:
    """The two longest axes, the longest last; None if the shorter of them is too short."""
    lengths = list(shape)
    longest = sorted(range(len(lengths)), key=lambda axis: lengths[axis])[-2:]
    if len(longest) < 2 or lengths[longest[0]] < factor_from:
        return None
    return longest[0], longest[1]


class Adafactor(Optimizer):
    """`smallest`: the least size a weight counts as. `decay`: beta2 of step t is 1 - t^-decay."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        decay: float = 0.8,
        eps: float = 1e-30,
        clip: float = 1.0,
        smallest: float = 1e-3,
        factor_from: int = 128,
    ) -> None:
        arguments.number("optimizer.lr", lr, 0)
        arguments.positive_number("optimizer.decay", decay)
        arguments.positive_number("optimizer.clip", clip)
        defaults = {"lr": lr, "decay": decay, "eps": eps, "clip": clip}
        super().__init__(parameters, defaults | {"smallest": smallest, "factor_from": factor_from})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every weight that has a gradient; the loss, if `closure` computes it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, group)
        return loss

    def _update(self, weight: nn.Parameter, group: dict) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), device="cpu")
        state["step"] += 1
        rate = float(state["step"]) ** -group["decay"]  # 1 - beta2 of this step
        gradient = weight.grad.float()  # type: ignore[union-attr]
        square = gradient.square() + group["eps"]
        matrix_axes = axes(weight.shape, group["factor_from"])
        if matrix_axes is None:
            step = gradient * _running_mean(state, "square", square, rate).rsqrt()
        else:
            row, column = matrix_axes
            rows = _running_mean(state, "rows", square.mean(column, keepdim=True), rate)
            columns = _running_mean(state, "columns", square.mean(row, keepdim=True), rate)
            rows = rows / _reduce(rows.mean(row, keepdim=True))
            step = gradient * rows.rsqrt() * columns.rsqrt()
        step = step / (_rms(step) / group["clip"]).clamp(min=1)
        weight.sub_((step * _rms(weight.float()).clamp(min=group["smallest"])), alpha=group["lr"])


def _running_mean(state: dict[str, Tensor], name: str, value: Tensor, rate: float) -> Tensor:
    """The mean stored in `state`, after moving a share `rate` of the way to a new value."""
    value = _reduce(value)
    state[name] = value if name not in state else torch.lerp(state[name], value, rate)
    return state[name]


def _rms(tensor: Tensor) -> Tensor:
    return _reduce(tensor.square().mean()).sqrt()


def _reduce(mean: Tensor) -> Tensor:
    """Complete a mean over shards that each device has computed for its own shard."""
    if isinstance(mean, DTensor) and any(each.is_partial() for each in mean.placements):
        return mean.redistribute(placements=[Replicate()] * mean.device_mesh.ndim)
    return mean
