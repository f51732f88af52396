"""A loader's workers, which survive signals sent to the whole job.

Ctrl-C and a scheduler's signals reach every process of a job. They are for the main process, which
may still need batches and then saves; a worker that died of one would bring it down. So a worker
ignores them, and ends with its main process: by the loader's own protocol, by SIGTERM sent from
that process, or when that process is gone.
"""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


def iterate(loader: DataLoader) -> Iterator[Any]:
    """An iterator over a loader whose `worker_init_fn` is `init_worker`."""
    # Forked with SIGTERM blocked, no thread of a worker ever receives it.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def shut_down(batches: Iterator[Any]) -> None:
    """End the workers of what `iterate` returned.

    An error raised in a worker holds a circular reference to this iterator. Left to the garbage
    collector, the iterator would then wait five seconds for each of its workers.
    """
    if shut_down_workers := getattr(batches, "_shutdown_workers", None):  # absent without workers
        shut_down_workers()


def init_worker(worker: int) -> None:
    """Ignore the job's signals, and obey only the main process's SIGTERM."""
    for name in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # where workers are not forked
    threading.Thread(target=_obey_the_main_process, daemon=True).start()


def _obey_the_main_process() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
