"""The first moment of a door, before its imports, which take seconds: its clock runs from here on,
and Ctrl-C is answered in words.

`imagen_lit/__init__.py` comes here when Python was started as `python -m imagen_lit.<door>`.
"""

import sys
import time
from types import TracebackType
from typing import NoReturn

AT = time.monotonic()


def stop() -> NoReturn:
    """Say how to go on, and end as a process ends that was interrupted."""
    print("stopped; type the same command to continue", file=sys.stderr)
    sys.exit(130)


def interrupted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """What Python calls with an exception that nobody took."""
    if issubclass(kind, KeyboardInterrupt):
        stop()
    sys.__excepthook__(kind, error, trace)
