"""A process that does cells, one after another: it imports torch once, and not once for each cell.

What a cell prints goes into its log. When the driver is gone, the worker is told as by Ctrl-C: it
saves what it can, and ends.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from imagen_lit.ablation import cell_log
from imagen_lit.ablation.cell import Cell
from imagen_lit.cli import command, interrupt, user_error
from imagen_lit.launcher.launcher import Work

PR_SET_PDEATHSIG = 1
PATIENCE = 60  # seconds that a worker has, after Ctrl-C, to save what it does


class Worker:
    """A started process, which computes in so many threads unless OMP_NUM_THREADS says otherwise.
    `connection` becomes readable when a cell is over, or the process is."""

    def __init__(self, work: Work, runs: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        own = (theirs, work, runs, os.getpid(), threads)
        self._process = context.Process(target=_serve, args=own)
        self._process.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def begin(self, cell: Cell) -> None:
        """Let it do a cell."""
        self.connection.send(cell)

    def result(self) -> str:
        """Of the cell that is over: why it failed, or nothing."""
        return str(self.connection.recv())

    def ending(self) -> str:
        """How the process ended."""
        self._process.join(10)
        code = self._process.exitcode
        if code == -signal.SIGKILL:
            return "its process was killed, perhaps because the machine ran out of memory"
        return f"its process ended with exit status {code}"

    def close(self, is_busy: bool) -> None:
        """Let it end; if it does a cell, as by Ctrl-C, so that it saves what it has."""
        self.connection.close()
        if is_busy and self._process.is_alive():
            os.kill(self._process.pid or 0, signal.SIGINT)
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection, work: Work, runs: str, driver: int, threads: int) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # which torch reads as it is imported
    interrupt.handle()
    os.setpgid(0, 0)  # Ctrl-C comes from the driver alone, once
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _end_with(driver)
    command.silence_hints()
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            cell = connection.recv()
            with _output(cell_log.path(Path(runs), cell.name)):
                reason = _do(cell, work)
            connection.send(reason)
            _free_memory()


def _do(cell: Cell, work: Work) -> str:
    """Why a cell failed; nothing if it did not."""
    print(f"{cell_log.BEGUN}{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {cell.line}", flush=True)
    try:
        work(cell)
    except KeyboardInterrupt:
        print(f"{cell_log.MARK}stopped", flush=True)
        raise
    except (Exception, SystemExit) as error:
        sentence = user_error.sentence(error, list)
        if sentence is None:
            traceback.print_exc()
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"{cell_log.FAILED}{sentence}", flush=True)
        return sentence
    print(cell_log.DONE, flush=True)
    return ""


@contextmanager
def _output(file: Path) -> Iterator[None]:
    """All that this process prints, its libraries in C and its child processes included."""
    file.parent.mkdir(parents=True, exist_ok=True)
    before = os.dup(1), os.dup(2)
    with file.open("ab") as handle:
        _flush()
        os.dup2(handle.fileno(), 1)
        os.dup2(handle.fileno(), 2)
    try:
        yield
    finally:
        _flush()
        for number, descriptor in enumerate(before, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _free_memory() -> None:
    gc.collect()
    if torch := sys.modules.get("torch"):
        with suppress(Exception):
            torch.cuda.empty_cache()


def _end_with(driver: int) -> None:
    """Have the kernel send Ctrl-C when the driver dies, where it can."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != driver:  # it died before
        raise SystemExit
