"""How a stage gets its optimiser: a function of its weights, whose settings are checked."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import nn
from torch.optim import Optimizer

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError, UserError

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def build_optimizer(make: MakeOptimizer, parameters: Iterator[nn.Parameter]) -> Optimizer:
    """The optimiser; settings that it refuses, which it may do only now, are an `InputError`."""
    try:
        optimizer = make(parameters)
    except UserError:
        raise
    except (TypeError, ValueError) as error:  # torch's
        raise InputError(
            f"the optimizer does not take these settings: {error}. Set what it takes, such as "
            "optimizer.lr=1e-4 or 'optimizer.betas=[0.9,0.99]'."
        ) from error
    for group in optimizer.param_groups:
        arguments.number("optimizer.lr", group["lr"], 0)
    return optimizer


def match_memory_formats(optimizer: Optimizer) -> None:
    """Lay out the state in memory like its weights: otherwise each step after a resume would be
    slower than before."""
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == weight.shape and value.stride() != weight.stride():
                state[name] = torch.empty_like(weight).copy_(value)
