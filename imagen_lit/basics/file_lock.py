"""A file lock: of several processes, one holds the file for as long as it lives; it says who.

It is asked for and never waited for: the others are refused. On a disk without file locks nobody is
refused.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from imagen_lit.basics.errors import RunError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import shorten


@contextmanager
def exclusive(file: Path, work: str, advice: str) -> Iterator[None]:
    """Hold the file while the block runs; a process that comes second is told what the first does
    (`work`: `training in …`), and what to do."""
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+", errors="replace") as handle:
            _lock(handle, work, advice)
            if os.fstat(handle.fileno()).st_nlink:  # or the previous holder has just removed it
                handle.truncate(0)
                print(f"process {os.getpid()} on {socket.gethostname()}", file=handle, flush=True)
                yield
                return


def _lock(handle: TextIO, work: str, advice: str) -> None:
    try:
        # Not flock, which forked workers would keep holding after a kill.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            handle.seek(0)
            holder = shorten(printable(handle.read(200).strip()))
            name = f"another process ({holder})" if holder else "another process"
            raise RunError(f"{name} is {work}. {advice}") from error
