"""What this machine is and can do: the rate of a matrix product, which bounds every network's, and
peak memory, both measured; its memory, and the names of device and versions."""

import importlib.metadata
import os
import platform
import resource
import time

import torch

from imagen_lit.basics.short_form import quantity

SHORTEST = 5e-3  # seconds that a product has to take, so that its launch does not count
LARGEST = 16_384  # edge of the matrices


def matrix_peak(
    dtype: torch.dtype, device: torch.device | str = "cpu", edge: int = 1536, seconds: float = 1.0
) -> float:
    """The best rate of a square matrix product, in FLOP/s. On a fast accelerator the matrices are
    doubled until a product takes milliseconds."""
    device = torch.device(device)
    generator = torch.Generator().manual_seed(0)  # the global one belongs to training
    a, b = (torch.randn(edge, edge, generator=generator).to(device, dtype) for _ in range(2))
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        torch.mm(a, b)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        took = time.perf_counter() - start
        best = max(best, 2 * len(a) ** 3 / took)
        if device.type != "cpu" and took < SHORTEST and 2 * len(a) <= LARGEST:
            a, b = a.repeat(2, 2), b.repeat(2, 2)
    return best


def memory() -> int:
    """The bytes of memory that this machine has, without those of its accelerators."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_memory(device: torch.device | str = "cpu") -> float:
    """The most memory in use so far, in GiB: of the device `counts_memory`, or of this process."""
    device = torch.device(device)
    if counts_memory(device):
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def counts_memory(device: torch.device) -> bool:
    """Whether the most memory of the device is known."""
    return device.type == "cuda"


def name(device: torch.device) -> str:
    """What a person calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"CPU of {quantity(torch.get_num_threads(), 'thread')}"
    return str(device)


def versions() -> dict[str, str]:
    """Of what a measurement depends on."""
    packages = ("torch", "lightning", "numpy", "diffusers", "imagen-pytorch")
    numbers = {"python": platform.python_version(), "system": platform.platform()}
    for package in packages:
        try:
            numbers[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    numbers["cuda"] = str(torch.version.cuda or "none")
    if torch.version.cuda and torch.backends.cudnn.is_available():
        numbers["cudnn"] = str(torch.backends.cudnn.version())
    return numbers
