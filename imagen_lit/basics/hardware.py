"""What this machine can do: the rate of a matrix product, which bounds every network's, measured;
its memory, and how much of it was in use at most."""

import os
import resource
import time

import torch


def matrix_peak(
    dtype: torch.dtype, device: torch.device | str = "cpu", edge: int = 1536, seconds: float = 1.0
) -> float:
    """The best rate of a square matrix product, in FLOP/s."""
    device = torch.device(device)
    if device.type != "cpu":
        edge *= 4
    generator = torch.Generator().manual_seed(0)  # the global one belongs to training
    a, b = (torch.randn(edge, edge, generator=generator).to(device, dtype) for _ in range(2))
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        torch.mm(a, b)
        if device.type != "cpu":
            torch.accelerator.synchronize()
        best = max(best, 2 * edge**3 / (time.perf_counter() - start))
    return best


def memory() -> int:
    """The bytes of memory that this machine has, without those of its accelerators."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_memory(device: torch.device | str = "cpu") -> float:
    """The most memory in use so far, in GiB: of the GPU, or of this process on a CPU."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
