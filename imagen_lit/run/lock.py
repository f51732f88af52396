"""The lock of a run folder: of several processes, only one may train in it.

On one machine that is a file lock, `run.lock`, which ends with the process that holds it. Under
SLURM it is fencing: when a node is lost, SLURM starts the job again elsewhere, but the first copy
may survive. So each start writes `lock.json` (the job, how often it was requeued, the host), and
checks before every write that the file is still its own. A start that is itself outdated does not
take the folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.basics import file_lock, json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import RunError
from imagen_lit.run import slurm
from imagen_lit.run.state import LOCK

FENCE = "lock.json"
ADVICE = "Make sure that no job trains there, remove the file, and type the same command again."


def take(folder: Path) -> None:
    """Under SLURM, take the folder for this start, unless a later start of the job has it."""
    if not slurm.in_job():
        return
    holder, this = _read(folder), _this_start()
    if holder and holder["job"] == this["job"] and holder["restarts"] > this["restarts"]:
        _refuse(folder, holder)
    write_json(folder / FENCE, this | {"host": slurm.host()}, indent=None)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Outside SLURM, refuse a second process in the folder; of several ranks, the first locks for
    all. On a disk without file locks, no process is refused."""
    if slurm.in_job() or rank_zero_only.rank:  # type: ignore[attr-defined]
        yield
        return
    advice = "Let it finish, or end it first; for a second run, choose another name=..."
    with file_lock.exclusive(folder / LOCK, f"training in the run folder {folder}", advice):
        yield


def is_held(folder: Path) -> bool:
    """Whether the folder still belongs to this start."""
    return not slurm.in_job() or _is_ours(_read(folder))


def check(folder: Path) -> None:
    """Raise if another start has taken the folder."""
    if slurm.in_job() and not _is_ours(holder := _read(folder)):
        _refuse(folder, holder)


def _this_start() -> dict[str, Any]:
    return {"job": slurm.job_id(), "restarts": slurm.restarts()}


def _read(folder: Path) -> dict[str, Any]:
    file = folder / FENCE
    return json_file.read(file, ADVICE) if file.exists() else {}


def _is_ours(holder: dict[str, Any]) -> bool:
    this = _this_start()
    return {name: holder.get(name) for name in this} == this


def _refuse(folder: Path, holder: dict[str, Any]) -> None:
    other = "no job" if not holder else "job {job}, start {restarts}, on {host}".format(**holder)
    this = "job {job}, start {restarts}".format(**_this_start())
    raise RunError(
        f"the run folder {folder} belongs to {other}, but this is {this}: it stops without "
        "writing. Let the other one continue."
    )
