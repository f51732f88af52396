"""Weights, gradients and optimiser shared out over all devices (FSDP2).

Each block of a network is one parcel: fetched whole before it is used, given back after. The
follower is shared out in the same way, so it follows shard by shard.
"""

from collections.abc import Iterator

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard


class Sharded(ModelParallelStrategy):
    """All devices hold a shard each; checkpoints are one whole file, as everywhere else."""

    def __init__(self) -> None:
        super().__init__(save_distributed_checkpoint=False)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        self._tensor_parallel_size = 1
        super().setup_environment()


def shard(network: nn.Module, mesh: DeviceMesh, half: bool) -> None:
    """In place. `half`: fetched and computed in bf16, while the shards and sums stay fp32."""
    # The only order that FSDP2 can share out.
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    for block in blocks(network):
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # Also the outermost weights are given back: the follower answers in validation, then follows.
    fully_shard(network, mesh=mesh, mp_policy=policy, reshard_after_forward=True)


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """What stands in a network's lists and dictionaries of modules, the outermost ones."""
    for child in network.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from child.children()
