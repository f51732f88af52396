"""A loader's workers, which signals to the whole job do not end.

Ctrl-C and a scheduler's signals reach every process of a job. They are for the main process, which
may still need batches and then saves; a worker that died of one would take it along. So a worker
ignores them, and ends with its main process: by the loader's own protocol, by SIGTERM sent from
that very process, or when that process is gone.
"""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


def iterate(loader: DataLoader) -> Iterator[Any]:
    """An iterator over a loader whose `worker_init_fn` is `init_worker`."""
    # Forked with SIGTERM blocked, no thread of a worker is ever open to it.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def shut_down(batches: Iterator[Any]) -> None:
    """End the workers of what `iterate` returned.

    An error that comes from a worker refers to this iterator in a circle. Left to the garbage
    collector, the iterator would then wait five seconds for each of its workers.
    """
    if shut_down_workers := getattr(batches, "_shutdown_workers", None):  # absent without workers
        shut_down_workers()


def init_worker(worker: int) -> None:
    """Ignore the job's signals, and obey the main process's SIGTERM alone."""
    for name in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # where workers are not forked
    threading.Thread(target=_obey_the_main_process, daemon=True).start()


def _obey_the_main_process() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
