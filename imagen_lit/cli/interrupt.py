"""Ctrl-C ends a command with one readable line, also while it still imports its libraries; and
output that nobody reads any more, as after `| head`, ends it without an error."""

import os
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
    """Handle a Ctrl-C that nothing else handles; every other exception is left alone."""
    sys.excepthook = _excepthook


@contextmanager
def until_unread() -> Iterator[None]:
    """Exit quietly when nobody reads the output any more."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        sys.exit(141)


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        exit_interrupted()
    sys.__excepthook__(kind, error, trace)
