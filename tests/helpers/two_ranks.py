"""A check that two processes make together, as two ranks of one gloo group."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist


def both_pass(check: Callable[[int], None], folder: Path) -> bool:
    """Whether `check(rank)` came to its end on both. It has to be a function of a module, and what
    it raises is raised here."""
    torch.multiprocessing.spawn(_run, (check, str(folder)), nprocs=2)
    return {file.name for file in folder.glob("rank*")} == {"rank0", "rank1"}


def _run(rank: int, check: Callable[[int], None], folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    check(rank)
    Path(folder, f"rank{rank}").touch()
    dist.barrier()
    dist.destroy_process_group()
