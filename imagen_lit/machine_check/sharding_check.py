"""Whether FSDP2 and DDP compute, on as many devices as there are, what one device does with the
whole batch."""

import json
import tempfile
import warnings
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from imagen_lit.machine_check import truth
from imagen_lit.machine_check.finding import SKIPPED, Finding, compared
from imagen_lit.network.unet import UNet
from imagen_lit.stage import fsdp

BACKENDS = {"cuda": "nccl", "cpu": "gloo"}
ON_CPU = 2  # processes, where there is no accelerator
EACH = 2  # images of a device
TIMEOUT = timedelta(minutes=2)
ADVICE = "Train with trainer={}, and send the JSON file with an issue; NCCL_DEBUG=INFO says more."
Batch = Sequence[torch.Tensor]
# What a network's gradients are, by a rank with its part of the batch.
Gradients = Callable[[UNet, Batch, DeviceMesh], list[torch.Tensor]]


def shards_alike(device: torch.device) -> Finding:
    """Gradients of a sharded network against those of a whole one."""
    return _against_whole(device, partial(_sharded, False), truth.tolerance(device), "ddp")


def half_shards_alike(device: torch.device) -> Finding:
    """The same in bf16, as trainer=fsdp computes on GPUs."""
    return _against_whole(device, partial(_sharded, True), truth.BFLOAT16, "ddp")


def copies_alike(device: torch.device) -> Finding:
    """Gradients of copies that add up two micro-batches each, as trainer=ddp does."""
    return _against_whole(device, _replicated, truth.tolerance(device), "fsdp")


def _against_whole(
    device: torch.device, gradients: Gradients, tolerance: float, other: str
) -> Finding:
    if device.type not in BACKENDS:
        return Finding(SKIPPED, f"torch.distributed has no backend for {device.type}")
    count = torch.cuda.device_count() if device.type == "cuda" else ON_CPU
    with tempfile.TemporaryDirectory(prefix="imagen_lit_ranks_") as folder:
        multiprocessing.spawn(_rank, (count, device.type, folder, gradients), nprocs=count)
        found = [json.loads(file.read_text()) for file in Path(folder).glob("*.json")]
    kind = "GPU" if device.type == "cuda" else "process of the CPU"
    finding = compared(max(found), tolerance, "differs from one device", ADVICE.format(other))
    words = f"{count} x {kind}; {finding.measured}"
    return Finding(finding.verdict, words, finding.advice)


def _sharded(bf16: bool, network: UNet, batch: Batch, mesh: DeviceMesh) -> list[torch.Tensor]:
    fsdp.shard_network(network, mesh, bf16)
    network(*batch).float().square().mean().backward()
    return truth.gradients(network)


def _replicated(network: UNet, batch: Batch, mesh: DeviceMesh) -> list[torch.Tensor]:
    here = [mesh.get_local_rank()] if mesh.device_type == "cuda" else None
    copy = DistributedDataParallel(network, here, gradient_as_bucket_view=True)
    first, last = zip(*(each.chunk(2) for each in batch), strict=True)
    with copy.no_sync():
        (copy(*first).square().mean() / 2).backward()
    (copy(*last).square().mean() / 2).backward()
    return truth.gradients(network)


def _rank(rank: int, world: int, kind: str, folder: str, gradients: Gradients) -> None:
    """One process, with its part of the batch."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Grad strides do not match")  # which costs time alone
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(rank)
    store = f"file://{folder}/store"
    dist.init_process_group(BACKENDS[kind], store, TIMEOUT, world, rank)
    whole, part = (_network().to(device) for _ in range(2))
    batch = [tensor.to(device) for tensor in _batch(world)]
    whole(*batch).square().mean().backward()
    mine = [tensor[rank * EACH : (rank + 1) * EACH] for tensor in batch]
    own = gradients(part, mine, init_device_mesh(kind, (world,)))
    gathered = [g.full_tensor() if isinstance(g, DTensor) else g for g in own]
    apart = truth.difference(gathered, truth.gradients(whole))
    (Path(folder) / f"{rank}.json").write_text(json.dumps(apart))
    dist.barrier()
    dist.destroy_process_group()


def _network() -> UNet:
    torch.manual_seed(0)
    network = UNet(16, [32, 32], [1, 1], [False, True], head_width=16)
    truth.fill_zero_layers(network)
    return network


def _batch(world: int) -> list[torch.Tensor]:
    numbers, images = torch.Generator().manual_seed(0), world * EACH
    mask = torch.ones(images, 5, dtype=torch.bool)
    z = torch.randn(images, 3, 16, 16, generator=numbers)
    text = torch.randn(images, 5, 16, generator=numbers)
    return [z, torch.linspace(-3, 3, images), text, mask]
