"""Adafactor as Imagen's base is trained with it (App. F.1) and as in optax: it stores a row and a
column where Adam stores a matrix (Shazeer & Stern 2018, algorithm 4).

The two longest axes of a weight are its rows and columns, if both are at least `factor_from` long;
all other axes (the positions of a convolution) stay separate. A step is clipped to the root mean
square `clip`, then scaled by that of the weight itself, so `lr` is the largest share of its size by
which a weight moves.

Law: the step is the same whether a weight lies on one device or is sharded over many.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from imagen_lit.basics import arguments
from imagen_lit.optimizer import sharded_mean, skipping
from imagen_lit.optimizer.sharded_mean import Axes, local, means
from imagen_lit.optimizer.skipping import Skip

AT_ONCE = 2**26  # numbers: what a step computes on the way needs that much memory a few times


def axes(shape: Iterable[int], factor_from: int) -> tuple[int, int] | None:
    """The two longest axes, the longest last; None if the shorter of them is too short."""
    lengths = list(shape)
    longest = sorted(range(len(lengths)), key=lambda axis: lengths[axis])[-2:]
    if len(longest) < 2 or lengths[longest[0]] < factor_from:
        return None
    return longest[0], longest[1]


class Adafactor(Optimizer):
    """`smallest`: the least size a weight counts as. `decay`: beta2 of step t is 1 - t^-decay."""

    _step_supports_amp_scaling = True  # see skipping.py

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
        skip = skipping.of(self)
        if skip is True:
            return loss
        for group in self.param_groups:
            weights = [each for each in group["params"] if each.grad is not None]
            for some in _in_parts(weights):
                self._update(some, group, skip)
        return loss

    def _update(self, weights: list[nn.Parameter], group: dict, skip: Skip) -> None:
        here = [local(weight) for weight in weights]
        gradients = [local(cast(Tensor, weight.grad)).float() for weight in weights]
        averages = self._averages(weights, gradients, group, skip)
        steps = list(torch._foreach_mul(gradients, _inverse_roots(weights, averages, group)))
        shrink = torch._foreach_div(_sizes(steps, weights), group["clip"])
        factors = torch._foreach_clamp_min(_sizes(here, weights), group["smallest"])
        torch._foreach_div_(factors, torch._foreach_clamp_min(shrink, 1.0))
        torch._foreach_mul_(factors, group["lr"])
        torch._foreach_mul_(steps, factors)
        torch._foreach_sub_(here, skipping.zeros_if(skip, steps))

    def _averages(
        self, weights: list[nn.Parameter], gradients: list[Tensor], group: dict, skip: Skip
    ) -> list[list[Tensor]]:
        """The running means of each weight's squared gradients: of all, or of rows and columns."""
        squares = torch._foreach_mul(gradients, gradients)
        torch._foreach_add_(squares, group["eps"])
        over = [_axes_of_means(weight.shape, group["factor_from"]) for weight in weights]
        owners = [i for i, each in enumerate(over) for _ in each]
        names = [name for each in over for name in each]
        flat = [axes for each in over for axes in each.values()]
        states = [
            self._average(weights[i], name, axes)
            for i, name, axes in zip(owners, names, flat, strict=True)
        ]
        targets = means([squares[i] for i in owners], [weights[i] for i in owners], flat)
        rates = self._rates(weights, group["decay"], skip)
        torch._foreach_lerp_(
            states, skipping.replace_if(skip, targets, states), [rates[i] for i in owners]
        )
        by_weight = iter(states)
        return [[next(by_weight) for _ in each] for each in over]

    def _average(self, weight: nn.Parameter, name: str, over: Axes) -> Tensor:
        """This device's part of a running mean, zero at first."""
        state = self.state[weight]
        if name not in state:
            state[name] = sharded_mean.zeros(weight, over)
        return local(state[name])

    def _rates(self, weights: list[nn.Parameter], decay: float, skip: Skip) -> list[Tensor]:
        """1 - beta2 of this step of each weight."""
        states = [self.state[weight] for weight in weights]
        for state, weight in zip(states, weights, strict=True):
            state["step"] = state.get("step", torch.zeros(())).to(weight.device)
        counts = [state["step"] for state in states]
        torch._foreach_add_(counts, skipping.ones(skip, counts))
        return list((torch.stack(counts).clamp(min=1) ** -decay).unbind())


def _axes_of_means(shape: torch.Size, factor_from: int) -> dict[str, Axes]:
    """The means that are stored of a weight, and over which axes each of them is."""
    matrix = axes(shape, factor_from)
    if matrix is None:
        return {"square": ()}
    row, column = matrix
    return {"rows": (column,), "columns": (row,)}


def _inverse_roots(
    weights: list[nn.Parameter], averages: list[list[Tensor]], group: dict
) -> list[Tensor]:
    """1 / sqrt of each weight's mean squared gradient, as its averages have it."""
    matrices = {i: axes(w.shape, group["factor_from"]) for i, w in enumerate(weights)}
    long = [i for i, matrix in matrices.items() if matrix is not None]
    rows = [averages[i][0] for i in long]
    of_rows = means(rows, [weights[i] for i in long], [cast(Axes, matrices[i])[:1] for i in long])
    scaled = dict(zip(long, torch._foreach_div(rows, of_rows) if long else [], strict=True))
    return [
        scaled[i].rsqrt() * averages[i][1].rsqrt() if i in scaled else averages[i][0].rsqrt()
        for i in matrices
    ]


def _sizes(values: list[Tensor], weights: list[nn.Parameter]) -> list[Tensor]:
    """The root mean square of each weight's value."""
    over = [tuple(range(each.ndim)) for each in weights]
    return list(torch._foreach_sqrt(means(torch._foreach_mul(values, values), weights, over)))


def _in_parts(weights: list[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Some weights after the other, so that a step needs little memory on the way; the same parts
    on all devices, whatever their shards."""
    part: list[nn.Parameter] = []
    numbers = 0
    for weight in weights:
        if part and numbers + weight.numel() > AT_ONCE:
            yield part
            part, numbers = [], 0
        part.append(weight)
        numbers += weight.numel()
    if part:
        yield part
