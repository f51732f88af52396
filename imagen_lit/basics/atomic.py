"""Atomic file writing: under its own name a file is either absent or complete.

    with atomic_write(path) as file:
        file.write(...)

The bytes go to a hidden temporary file, which is renamed at the end. Any error inside the block (a
full disk, Ctrl-C) removes it and leaves the previous file as it was. A process that is killed
outright leaves the hidden `.tmp`; the next process that writes into the folder removes it. The
file's mode follows the umask.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the name `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent.absolute(), os.getpid())
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
        os.fsync(folder)  # puts the new name on disk too
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """Write JSON atomically, keys in the order given."""
    write_text(path, json.dumps(value, indent=indent))


@cache  # listing a folder of eighty thousand files for each new one would cost more than the write
def _remove_leftovers(folder: Path, process: int) -> None:
    """Remove what killed processes of this machine left; other machines clean up their own.

    Once per process, hence the argument: a forked process inherits its parent's cache.
    """
    here = f".{socket.gethostname()}"
    for leftover in folder.glob(".*.tmp"):
        name, _, writer = leftover.name.removesuffix(".tmp").rpartition(".")
        if name.endswith(here) and writer.isdigit() and not _is_alive(int(writer)):
            leftover.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # alive, but another user's
        return True
    return True
