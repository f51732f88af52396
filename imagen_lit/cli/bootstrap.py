"""The start of a command, before its imports, which take seconds: its clock starts here, and Ctrl-C
gives a readable message.

`imagen_lit/__init__.py` calls this when Python was started as `python -m imagen_lit.<command>`.
"""

import sys
import time
from types import TracebackType
from typing import NoReturn

STARTED_AT = time.monotonic()


def exit_interrupted() -> NoReturn:
    """Say how to continue, and exit with the status of an interrupted process."""
    print("stopped; type the same command to continue", file=sys.stderr)
    sys.exit(130)


def handle_interrupts() -> None:
    """Handle a Ctrl-C that comes during the imports; every other exception is left alone."""
    sys.excepthook = _excepthook


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        exit_interrupted()
    sys.__excepthook__(kind, error, trace)
