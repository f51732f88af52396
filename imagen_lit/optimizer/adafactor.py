"""Adafactor, as Imagen's base learns (App. F.1) and as optax has it: memory for a row and a column
where Adam keeps a matrix (Shazeer & Stern 2018, algorithm 4).

The two longest axes of a weight are its rows and columns, where both are at least `factor_from`
long; all other axes (the places of a convolution) are kept apart. A step is clipped to the root
mean square `clip`, then scaled by that of the weight itself, so `lr` says by which share of its
size a weight moves at most.

Law: it is the same step whether a weight lies on one device or is shared out over many.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate
from torch.optim import Optimizer


def axes(shape: Iterable[int], factor_from: int) -> tuple[int, int] | None:
    """The two longest axes, the longest last; None where the shorter of them is too short."""
    lengths = list(shape)
    longest = sorted(range(len(lengths)), key=lambda axis: lengths[axis])[-2:]
    if len(longest) < 2 or lengths[longest[0]] < factor_from:
        return None
    return longest[0], longest[1]


class Adafactor(Optimizer):
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
        defaults = {"lr": lr, "decay": decay, "eps": eps, "clip": clip}
        super().__init__(parameters, defaults | {"smallest": smallest, "factor_from": factor_from})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: nn.Parameter, group: dict) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros((), device="cpu")
        state["step"] += 1
        new = float(state["step"]) ** -group["decay"]  # 1 - beta2 of this step
        gradient = weight.grad.float()  # type: ignore[union-attr]
        square = gradient.square() + group["eps"]
        factored = axes(weight.shape, group["factor_from"])
        if factored is None:
            step = gradient * _mixed(state, "square", square, new).rsqrt()
        else:
            row, column = factored
            rows = _mixed(state, "rows", square.mean(column, keepdim=True), new)
            columns = _mixed(state, "columns", square.mean(row, keepdim=True), new)
            rows = rows / _whole(rows.mean(row, keepdim=True))
            step = gradient * rows.rsqrt() * columns.rsqrt()
        step = step / (_size(step) / group["clip"]).clamp(min=1)
        weight.sub_((step * _size(weight.float()).clamp(min=group["smallest"])), alpha=group["lr"])


def _mixed(state: dict[str, Tensor], name: str, seen: Tensor, new: float) -> Tensor:
    """The mean that `state` keeps, a share `new` of it replaced by what is seen now."""
    seen = _whole(seen)
    state[name] = seen if name not in state else torch.lerp(state[name], seen, new)
    return state[name]


def _size(tensor: Tensor) -> Tensor:
    """Its root mean square."""
    return _whole(tensor.square().mean()).sqrt()


def _whole(mean: Tensor) -> Tensor:
    """A mean over shards that was worked out on each for itself, settled between them."""
    if isinstance(mean, DTensor) and any(each.is_partial() for each in mean.placements):
        return mean.redistribute(placements=[Replicate()] * mean.device_mesh.ndim)
    return mean
