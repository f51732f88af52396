"""Work shared out to processes of this machine, which never outlive the one that asked.

Ctrl-C is for that one alone: what the others have in hand is finished, and no more begun. Where it
is killed outright they end too, at once. One of them that is killed is an error in words.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from imagen_lit.data import number

Work = Callable[[Any], Any]


def each(work: Work, jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """What `work` answers to each job, in order. It travels once to each process, not with every
    job; one worker is this very process."""
    if number.whole("workers", workers, 0) < 2 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(work,))
    try:
        yield from _begun(pool, jobs)
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a worker process was killed from outside, as where memory is short: type the same "
            "command to continue, and workers=1 for less memory"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begun(pool: ProcessPoolExecutor, jobs: Sequence[Any]) -> Iterator[Any]:
    # Spawned with SIGINT blocked, no process is ever open to it, not even while Python starts.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(_done, jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Work  # of this process


def _begin(work: Work) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent_process().join()  # type: ignore[union-attr]
    os._exit(1)


def _done(job: Any) -> Any:
    return _work(job)
