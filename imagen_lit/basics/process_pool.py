"""Jobs spread over processes of this machine, which never outlive the process that started them.

Ctrl-C reaches the parent only: the workers finish their current jobs and start no others. If the
parent is killed outright they end at once. A killed worker is reported in a readable message.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import RunError

Work = Callable[[Any], Any]


def map_jobs(work: Work, jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """The result of `work` for each job, in order. `work` is sent once to each process, not with
    every job; with one worker it runs in this process."""
    if arguments.whole_number("workers", workers, 0) < 2 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    context = get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_init_worker, initargs=(work,))
    try:
        yield from _submit(pool, jobs)
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process was killed from outside, perhaps because memory ran out. Type the "
            "same command to continue, with workers=1 for less memory."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, jobs: Sequence[Any]) -> Iterator[Any]:
    # Spawned with SIGINT blocked, a process never receives it, not even while Python starts.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(_run, jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


_work: Work  # of this process


def _init_worker(work: Work) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent_process().join()  # type: ignore[union-attr]
    os._exit(1)


def _run(job: Any) -> Any:
    return _work(job)
