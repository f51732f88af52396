"""A file written aside, then renamed: under its own name it is either absent or whole.

    with aside(path) as file:
        file.write(...)

Any error inside the block (a full disk, Ctrl-C) leaves neither the file nor a part of it, and what
stood under the name before stays. A process killed outright leaves a hidden `.tmp`; the next
process that writes into the folder removes it. The mode is the one the umask asks for.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO


@contextmanager
def aside(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    _forget_the_dead(path.parent.absolute(), os.getpid())
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on the disk too
    finally:
        os.close(folder)


@cache  # a look at eighty thousand names for each new one would be the larger part of the work
def _forget_the_dead(folder: Path, reader: int) -> None:
    """Remove what killed processes of this machine left; other machines look after theirs.

    Once in a process, which is `reader`: a forked one inherits what its parent remembers.
    """
    here = f".{socket.gethostname()}"
    for leftover in folder.glob(".*.tmp"):
        name, _, process = leftover.name.removesuffix(".tmp").rpartition(".")
        if name.endswith(here) and process.isdigit() and not _alive(int(process)):
            leftover.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, and somebody else's
        return True
    return True
