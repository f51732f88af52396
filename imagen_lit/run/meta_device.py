"""Counting on the meta device, where tensors have shapes but no contents: the work of one image, an
optimiser's state, and the peak memory."""

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit.stage.training import Stage

TOKENS = 20  # of an ordinary caption, where nothing has been counted yet


def count_flops(stage: Stage, edge: int, text_width: int) -> int:
    """FLOPs of one image, forward and backward; its gradients are kept for `optimizer_bytes`."""
    with FlopCounterMode(display=False) as counter:
        _forward_and_backward(stage, 1, edge, text_width)
    return counter.get_total_flops()


def optimizer_bytes(stage: Stage) -> int:
    """The size of the optimiser's state, measured by letting it take one step."""
    optimizer = stage.configure_optimizers()
    for group in optimizer.param_groups:
        group["fused"] = False  # which torch refuses without a device; the state is the same
    with _ReadsAsOne():
        optimizer.step()
    return sum(t.nbytes for t in _state_tensors(optimizer))


def peak_bytes(stage: Stage, images: int, edge: int, text_width: int) -> int:
    """The most bytes in use at any time of one forward and backward pass, gradients included."""
    stage.denoiser.zero_grad(set_to_none=True)
    with _MemoryMeter() as meter:
        _forward_and_backward(stage, images, edge, text_width)
    return meter.peak


def _forward_and_backward(stage: Stage, images: int, edge: int, text_width: int) -> None:
    batch = {
        "image": torch.empty(images, 3, edge, edge, device="meta"),
        "text": torch.empty(images, TOKENS, text_width, device="meta"),
        "mask": torch.ones(images, TOKENS, dtype=torch.bool, device="meta"),
        "position": torch.zeros(images, dtype=torch.int64, device="meta"),
    }
    t = torch.full((images,), 0.5, device="meta")
    stage.loss(stage.denoiser, batch, t, 0).mean().backward()


def _state_tensors(optimizer: Optimizer) -> Iterator[Tensor]:
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))


class _ReadsAsOne(TorchDispatchMode):
    """Reading a number out of a tensor without contents gives 1."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 1.0
        return func(*args, **(kwargs or {}))


class _MemoryMeter(TorchDispatchMode):
    """Counts the bytes of every tensor that an operation creates, for as long as it lives."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._living: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        inputs = {_address(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and (address := _address(x)) not in self._living | inputs:
                self._allocated(x.untyped_storage(), address)
        return result

    def _allocated(self, storage: torch.UntypedStorage, address: int) -> None:
        self._living.add(address)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, address, storage.nbytes())

    def _freed(self, address: int, size: int) -> None:
        self._living.discard(address)
        self.now -= size


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
