"""How long a device takes for some work: the host waits for it before each look at the clock."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch


def wait_for(device: torch.device) -> None:
    """Until the device has done all that was asked of it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Of one call."""
    wait_for(device)
    start = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - start


def alternating(
    works: Mapping[str, Callable[[], Any]], device: torch.device, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each work in each round. They take turns, so that a busy moment meets them all."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work, device))
    return times


def median(work: Callable[[], Any], device: torch.device, repeats: int = 5) -> float:
    """Seconds of the median call, after one that warms up."""
    work()
    return statistics.median(seconds(work, device) for _ in range(repeats))
