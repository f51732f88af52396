"""FSDP2: weights, gradients and optimiser state sharded over all devices.

Each part of a network is one unit: gathered whole before it is used, freed after. The EMA is
sharded in the same way, so it is updated shard by shard.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)

EXACT = MixedPrecisionPolicy()  # casts nothing
BF16 = MixedPrecisionPolicy(torch.bfloat16, torch.float32)


class FullySharded(ModelParallelStrategy):
    """Every device holds a shard; checkpoints are one complete file, as everywhere else."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """One mesh over all devices of all nodes."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Around all micro-batches of an update but the last: their gradients add up on each
        device, and travel once."""
        assert self.model is not None
        units = [each for each in self.model.modules() if isinstance(each, FSDPModule)]
        for unit in units:
            unit.set_requires_gradient_sync(False, recurse=False)
        yield
        for unit in units:
            unit.set_requires_gradient_sync(True, recurse=False)


def shard_network(network: nn.Module, mesh: DeviceMesh, bf16: bool) -> None:
    """Shard in place. `bf16`: gather and compute in bf16, while shards and sums stay fp32, and so
    do the parts that say `in_float32`, with their inputs: bf16 has three digits, and a log-SNR of
    10 would be off by 0.03."""
    # The only memory format that FSDP2 can shard.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for unit in units(network):
        is_exact = not bf16 or getattr(unit, "in_float32", False)
        fully_shard(unit, mesh=mesh, mp_policy=EXACT if is_exact else BF16)
    # What lies between them gets its inputs as they are. Its weights are freed too: validation runs
    # the EMA, then the next step updates it.
    fully_shard(network, mesh=mesh, mp_policy=EXACT, reshard_after_forward=True)
    # A drawing reads its text before its first pass, which needs the same weights gathered.
    for part in (network, *units(network)):
        if hasattr(part, "read"):
            register_fsdp_forward_method(part, "read")


def shard_alone(part: nn.Module, mesh: DeviceMesh) -> None:
    """Shard what weights a part beside the network has, as one unit that is never rounded."""
    if next(part.parameters(), None) is not None:
        fully_shard(part, mesh=mesh, mp_policy=EXACT, reshard_after_forward=True)


def units(network: nn.Module) -> Iterator[nn.Module]:
    """A network's parts, and the parts in its lists and dictionaries, that have weights."""
    for child in network.children():
        parts = child.children() if isinstance(child, nn.ModuleList | nn.ModuleDict) else [child]
        yield from (part for part in parts if next(part.parameters(), None) is not None)
