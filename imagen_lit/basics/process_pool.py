"""Jobs spread over processes of this machine, which never outlive the process that started them.

Ctrl-C reaches the parent only, and SIGTERM is for it as good: its workers are ended at once, in the
middle of their jobs, and remove their unfinished files. If the parent is killed outright they end
by themselves. A killed worker is reported in a readable message.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import RunError

Work = Callable[[Any], Any]

PATIENCE = 10.0  # seconds at most for a worker to remove what it has not finished
_open: set[ProcessPoolExecutor] = set()


def map_jobs(work: Work, jobs: Sequence[Any], workers: int) -> Iterator[Any]:
    """The result of `work` for each job, in order. `work` is sent once to each process, not with
    every job; with one worker it runs in this process."""
    if arguments.whole_number("workers", workers, 0) < 2 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    context = get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_init_worker, initargs=(work,))
    _open.add(pool)
    with _sigterm_as_an_exit():
        try:
            yield from _submit(pool, jobs)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process was killed from outside, perhaps because memory ran out. Type "
                "the same command to continue, with workers=1 for less memory."
            ) from error
        except Exception:
            raise
        except BaseException:  # Ctrl-C, or nobody wants the other results
            end_workers()
            raise
        finally:
            _open.discard(pool)
            pool.shutdown(wait=True, cancel_futures=True)


def end_workers() -> None:
    """End every worker of this process at once; Python would wait for them at its own end."""
    if not _open:
        return
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        while _open:
            pool = _open.pop()
            processes = list((pool._processes or {}).values())
            manager: Any = pool._executor_manager_thread
            pool.shutdown(wait=False, cancel_futures=True)
            _await_cancellation(pool, manager)
            for process in processes:
                process.terminate()
            for process in processes:
                process.join(PATIENCE)
                process.kill()
            pool.shutdown(wait=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _await_cancellation(pool: Any, manager: threading.Thread | None) -> None:
    """Until the pool's thread has dropped the jobs that nobody wants. Python before 3.12 prints a
    traceback where it meets one of these after its workers have ended."""
    end = time.monotonic() + PATIENCE
    while manager and manager.is_alive() and pool._cancel_pending_futures:
        if time.monotonic() > end:
            return
        time.sleep(0.01)


def _submit(pool: ProcessPoolExecutor, jobs: Sequence[Any]) -> Iterator[Any]:
    # Spawned with SIGINT blocked, a process never receives it, not even while Python starts.
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(_run, jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def _sigterm_as_an_exit() -> Iterator[None]:
    """While this lasts, SIGTERM lets the process clean up, unless somebody handles it already."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(*_: Any) -> None:
    raise SystemExit(128 + signal.SIGTERM)


class _Abandoned(BaseException):
    """The parent wants no result any more."""


_work: Work  # of this process
_is_busy = False


def _init_worker(work: Work) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGTERM, _abandon)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent_process().join()  # type: ignore[union-attr]
    os._exit(1)


def _abandon(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the cleaning up
    if not _is_busy:
        os._exit(1)
    raise _Abandoned  # through the job, which then removes its temporary file


def _run(job: Any) -> Any:
    global _is_busy
    _is_busy = True
    try:
        return _work(job)
    except _Abandoned:
        os._exit(1)
    finally:
        _is_busy = False
