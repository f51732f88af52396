"""A loader's workers, which signals to the whole job do not end.

Ctrl-C and a scheduler's signals reach every process of a job. They are for the main process, which
may still want batches and then saves; a worker that died of one would take it along. So a worker
ignores them, and ends when its main process says so: by the loader's own protocol, by SIGTERM sent
from that very process, or by being no more.
"""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


def start(loader: DataLoader) -> Iterator[Any]:
    """Iterate a loader whose `worker_init_fn` is `begin`."""
    # Forked with SIGTERM blocked, no thread of a worker is ever open to it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end(batches: Iterator[Any]) -> None:
    """End the workers of what `start` returned.

    An error that comes from a worker refers to this iterator in a circle. Left to the garbage
    collector, the iterator would then wait five seconds for each of its workers.
    """
    if shut_down := getattr(batches, "_shutdown_workers", None):  # there are none without workers
        shut_down()


def begin(worker: int) -> None:
    for name in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(name, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # where workers are not forked
    threading.Thread(target=_obey_the_main_process, daemon=True).start()


def _obey_the_main_process() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
