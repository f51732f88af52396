"""Whether FSDP2 computes, on as many devices as there are, what one device does with the whole
batch."""

import json
import tempfile
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from imagen_lit.machine_check import truth
from imagen_lit.machine_check.finding import SKIPPED, Finding, compared
from imagen_lit.network.unet import UNet
from imagen_lit.stage import fsdp

BACKENDS = {"cuda": "nccl", "cpu": "gloo"}
ON_CPU = 2  # processes, where there is no accelerator
EACH = 2  # images of a device
TIMEOUT = timedelta(minutes=2)
ADVICE = "Train with trainer=ddp, and send the JSON file with an issue; NCCL_DEBUG=INFO says more."


def shards_alike(device: torch.device) -> Finding:
    """Gradients of a sharded network against those of a whole one."""
    if device.type not in BACKENDS:
        return Finding(SKIPPED, f"torch.distributed has no backend for {device.type}")
    count = torch.cuda.device_count() if device.type == "cuda" else ON_CPU
    with tempfile.TemporaryDirectory(prefix="imagen_lit_fsdp_") as folder:
        multiprocessing.spawn(_rank, (count, device.type, folder), nprocs=count)
        found = [json.loads(file.read_text()) for file in Path(folder).glob("*.json")]
    kind = "GPU" if device.type == "cuda" else "process of the CPU"
    finding = compared(max(found), truth.tolerance(device), "differs from one device", ADVICE)
    words = f"{count} x {kind}; {finding.measured}"
    return Finding(finding.verdict, words, finding.advice)


def _rank(rank: int, world: int, kind: str, folder: str) -> None:
    """One process: its part of the batch through its part of the weights."""
    torch.set_num_threads(1)
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(rank)
    store = f"file://{folder}/store"
    dist.init_process_group(BACKENDS[kind], store, TIMEOUT, world, rank)
    whole, part = (_network().to(device) for _ in range(2))
    batch = [tensor.to(device) for tensor in _batch(world)]
    whole(*batch).square().mean().backward()
    fsdp.shard_network(part, init_device_mesh(kind, (world,)), bf16=False)
    mine = [tensor[rank * EACH : (rank + 1) * EACH] for tensor in batch]
    part(*mine).square().mean().backward()
    gathered = [g.full_tensor() if isinstance(g, DTensor) else g for g in truth.gradients(part)]
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
