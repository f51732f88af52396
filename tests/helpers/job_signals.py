"""Signals that reach every process of a job, sent to a loader's workers."""

import multiprocessing
import subprocess
from typing import Any


def positions_after_signals(loader: Any, batches: int) -> list[int]:
    """The positions of `batches` batches after both workers got the signals and stayed alive."""
    before = set(multiprocessing.active_children())
    stream = iter(loader)
    next(stream), next(stream)  # one from each: both are running
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    for worker in workers:
        for name in ("INT", "TERM", "USR1", "USR2"):
            subprocess.run(["kill", f"-{name}", str(worker.pid)], check=True)
    positions = [p for _ in range(batches) for p in next(stream)["position"].tolist()]
    assert all(worker.is_alive() for worker in workers)
    stream.close()
    assert not workers & set(multiprocessing.active_children())
    return positions
