"""Ctrl-C ends a command with one readable line, also while it still imports its libraries; output
that nobody reads any more, as after `| head`, ends it without an error, and output that was closed
from the start, as by `>&-`, goes nowhere."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn

from imagen_lit.basics import process_pool


def exit_interrupted() -> NoReturn:
    """Say how to continue, and exit with the status of an interrupted process."""
    process_pool.end_workers()
    print("stopped; type the same command to continue", file=sys.stderr)
    sys.exit(130)


def handle() -> None:
    """Handle a Ctrl-C that nothing else handles, and closed streams; every other exception is left
    alone."""
    sys.excepthook = _excepthook
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")


@contextmanager
def until_unread() -> Iterator[None]:
    """Exit quietly when nobody reads the output any more."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        exit_unread()


def is_unread(error: BaseException) -> bool:
    """Whether the error is that nobody reads the output any more, rather than another pipe."""
    if not isinstance(error, BrokenPipeError):
        return False
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):  # a stream without a file
        return False


def exit_unread() -> NoReturn:
    """Exit quietly, with the status of a process that wrote to a reader who is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
    sys.exit(141)


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        exit_interrupted()
    sys.__excepthook__(kind, error, trace)
