"""FSDP2: weights, gradients and optimiser state sharded over all devices.

Each block of a network is one unit: gathered whole before it is used, freed after. The EMA is
sharded in the same way, so it is updated shard by shard.
"""

from collections.abc import Iterator

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard


class FullySharded(ModelParallelStrategy):
    """Every device holds a shard; checkpoints are one complete file, as everywhere else."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        """One mesh over all devices of all nodes."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()


def shard_network(network: nn.Module, mesh: DeviceMesh, bf16: bool) -> None:
    """Shard in place. `bf16`: gather and compute in bf16, while shards and sums stay fp32."""
    # The only memory format that FSDP2 can shard.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if bf16 else MixedPrecisionPolicy()
    for block in blocks(network):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # The outermost weights are freed too: validation runs the EMA, then the next step updates it.
    fully_shard(network, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules in a network's lists and dictionaries of modules."""
    for child in network.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from child.children()
