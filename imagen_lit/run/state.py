"""The state of a run now, as others see it: status.json says what its last start wrote, and the
file lock whether that process is still there. Nothing is written, and no lock is taken.

Under SLURM no file lock is used: there a run is what status.json says.
"""

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable

STATUS, LOCK = "status.json", "run.lock"
WORDS = ("running", "finished", "failed", "stopped", "preempted")

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
FLOCK = "hhqqi"  # struct flock of Linux: type, whence, start, length, process


@dataclass(frozen=True)
class State:
    """`word`: one of WORDS, `killed`, `not started` or `unknown`; `error`: why it is over or
    unknown."""

    word: str
    job: str | None = None
    error: str = ""
    cluster: str | None = None  # of the job

    def __str__(self) -> str:
        is_there = self.job is not None and self.word in ("running", "preempted")
        return f"{self.word} (job {self.job})" if is_there else self.word


def current(folder: Path) -> State:
    """The state of the run in a folder."""
    before = is_locked(folder)
    try:
        status = json_file.read(folder / STATUS, "")
        word, job = status["state"], status.get("job")
    except FileNotFoundError:
        return State("running" if before else "not started")
    except (OSError, InputError, LookupError) as problem:
        cause = problem.__cause__ or problem
        return State("unknown", error=f"{STATUS} cannot be read ({type(cause).__name__})")
    if word not in WORDS:
        return State("unknown", error=f"{STATUS} names no state that this version knows")
    if job is None and word == "running" and not before and not is_locked(folder):
        return State("killed")
    why = printable(" ".join(str(status.get("error", "")).split())) if word == "failed" else ""
    cluster = status.get("cluster")
    return State(word, None if job is None else printable(str(job)), why, cluster)


def is_locked(folder: Path, name: str = LOCK) -> bool:
    """Whether another process holds the folder's file lock: asked, which takes nothing. Also true
    where the disk has no locks, because then nobody can know."""
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(file, fcntl.F_GETLK, question)
        return struct.unpack(FLOCK, answer)[0] != fcntl.F_UNLCK
    except OSError as error:
        return error.errno in NO_LOCKS
    finally:
        os.close(file)
