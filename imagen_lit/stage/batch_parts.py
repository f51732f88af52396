"""A batch in parts, one to a thread of the CPU: the same output and, to rounding, gradients.

Threads that share every operation wait for each other a thousand times a step, and the small
operations between the convolutions are too small to share. Threads that take some of the images
each meet twice: after the forward pass and after the backward pass, where the parts' gradients of
the weights are added up, always in the same order.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

MOST = 4  # parts: Python itself runs in one thread at a time
Task = Callable[[], Any]

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}  # by threads, and threads of each of them
os.register_at_fork(after_in_child=_pools.clear)  # a fork has none of its parent's threads


def count(weight: Tensor, inputs: Sequence[Tensor | None]) -> int:
    """In how many parts to compute inputs [B, ...]: more than one only on a CPU of several threads.

    One, where the weights are spread over processes, where something watches this thread's
    operations, and where a gradient of an input is asked for.
    """
    tensors = [x for x in inputs if x is not None]
    is_plain = all(type(x) is Tensor and x.device.type == "cpu" for x in tensors)
    if not is_plain or type(weight) is not nn.Parameter or weight.device.type != "cpu":
        return 1
    if torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None:
        return 1
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return 1
    return min(len(tensors[0]), torch.get_num_threads(), MOST)


def call(network: nn.Module, inputs: Sequence[Tensor | None], parts: int) -> Tensor:
    """network(*inputs) in so many parts; each input is [B, ...] or None."""
    weights = [p for p in network.parameters() if p.requires_grad]
    if torch.is_grad_enabled() and weights:
        return _Parts.apply(network, parts, len(weights), *weights, *inputs)
    return torch.cat(_outputs(network, inputs, parts, has_graph=False))


class _Parts(torch.autograd.Function):
    """The graph of each part is built, and followed back, in a thread."""

    @staticmethod
    def forward(ctx: Any, network: nn.Module, parts: int, weights: int, *tensors: Any) -> Tensor:
        ctx.weights, ctx.inputs = tensors[:weights], len(tensors) - weights
        ctx.outputs = _outputs(network, tensors[weights:], parts, has_graph=True)
        return torch.cat([each.detach() for each in ctx.outputs])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        pieces = gradients[0].split([len(each) for each in ctx.outputs])

        def gradient_of(output: Tensor, gradient: Tensor) -> Task:
            return lambda: torch.autograd.grad(output, ctx.weights, gradient, allow_unused=True)

        tasks = [gradient_of(*each) for each in zip(ctx.outputs, pieces, strict=True)]
        del ctx.outputs, pieces
        total, *others = _at_once(tasks)
        for other in others:
            torch._foreach_add_(
                [each for each in total if each is not None],
                [each for each in other if each is not None],
            )
        return None, None, None, *total, *[None] * ctx.inputs


def _outputs(
    network: nn.Module, inputs: Sequence[Tensor | None], parts: int, has_graph: bool
) -> list[Tensor]:
    """Those of the parts, under this thread's autocast."""
    is_autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def output_of(piece: Sequence[Tensor | None]) -> Task:
        def run() -> Tensor:
            with torch.set_grad_enabled(has_graph), torch.autocast("cpu", dtype, is_autocast):
                output: Tensor = network(*piece)
                return output

        return run

    columns = [[None] * parts if x is None else x.tensor_split(parts) for x in inputs]
    return _at_once([output_of(piece) for piece in zip(*columns, strict=True)])


def _at_once(tasks: Sequence[Task]) -> list[Any]:
    """Their results."""
    each = max(1, torch.get_num_threads() // len(tasks))
    pool = _pools.get((len(tasks), each))
    if pool is None:
        pool = _pools[len(tasks), each] = _start_threads(len(tasks), each)
    return [future.result() for future in [pool.submit(task) for task in tasks]]


def _start_threads(count: int, each: int) -> ThreadPoolExecutor:
    """So many, whose operations share the work among `each` threads."""
    here, everyone = torch.get_num_threads(), threading.Barrier(count)

    def begin() -> None:
        torch.set_num_threads(each)
        torch.get_num_threads()  # which makes it last
        everyone.wait()

    pool = ThreadPoolExecutor(count, "part")
    for future in [pool.submit(begin) for _ in range(count)]:
        future.result()
    torch.set_num_threads(here)  # torch hands the last number to every new thread
    return pool
