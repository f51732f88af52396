"""Whose a run folder is: of several copies of one job, only the newest may write.

Where a node is lost, SLURM starts the job again elsewhere, but the first copy may live on and train
into the same folder. So a start leaves `owner.json` there (the job, how often it was requeued, the
host), and whoever is about to write looks whether the file is still his. A start that is itself too
late does not take the folder. Outside SLURM there is no such file: there the processes of one
machine keep each other out by a lock, `owner.lock`, which ends with the process that holds it.
"""

import errno
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from imagen_lit import slurm
from imagen_lit.data.aside import aside


def take(folder: Path) -> None:
    """Make the folder this start's own; refused if a later start of the same job has it."""
    if not slurm.inside():
        return
    theirs, ours = _read(folder), _ours()
    if theirs and theirs["job"] == ours["job"] and theirs["restarts"] > ours["restarts"]:
        _refuse(folder, theirs)
    with aside(folder / "owner.json") as file:
        file.write(json.dumps(ours | {"host": slurm.host()}).encode())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Refuse a second process that would train into the folder at the same time; of several ranks
    the first asks for all. A disk that knows no locks refuses nobody."""
    if slurm.inside() or rank_zero_only.rank:  # type: ignore[attr-defined]
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "owner.lock").open("w") as file:
        try:
            # Not flock: that one would live on in forked workers after a kill.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise RuntimeError(
                    f"another process is training in the run folder {folder}: let it go on, or "
                    "end it first; for a run beside it choose another name=..."
                ) from error
        yield


def held(folder: Path) -> bool:
    """The folder is this start's still."""
    return not slurm.inside() or _same(_read(folder))


def check(folder: Path) -> None:
    """Raise if another start has the folder by now."""
    if slurm.inside() and not _same(theirs := _read(folder)):
        _refuse(folder, theirs)


def _ours() -> dict[str, Any]:
    return {"job": slurm.job(), "restarts": slurm.restarts()}


def _read(folder: Path) -> dict[str, Any]:
    file = folder / "owner.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _same(theirs: dict[str, Any]) -> bool:
    ours = _ours()
    return {name: theirs.get(name) for name in ours} == ours


def _refuse(folder: Path, theirs: dict[str, Any]) -> None:
    who = "nobody" if not theirs else "job {job}, start {restarts}, on {host}".format(**theirs)
    ours = "job {job}, start {restarts}".format(**_ours())
    raise RuntimeError(
        f"the run folder {folder} belongs to {who}, and this is {ours}: it stops without writing; "
        "let the other one go on"
    )
