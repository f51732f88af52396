"""The first moment of a command, before its imports, which take seconds: its clock starts here, and
Ctrl-C is answered in words.

`imagen_lit/__init__.py` comes here when Python was started as `python -m imagen_lit.<command>`.
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
    """Answer a Ctrl-C that comes during the imports; every other exception stays as it is."""
    sys.excepthook = _excepthook


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        exit_interrupted()
    sys.__excepthook__(kind, error, trace)
