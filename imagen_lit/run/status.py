"""status.json: the state of a run, since a scheduler's own record is not enough.

    {"state": "running"}     also after a kill that left no time to write more
    {"state": "finished"}
    {"state": "failed", "error": "..."}
    {"state": "stopped"}     by Ctrl-C or scancel
    {"state": "preempted"}   saved, and waiting to be killed and started again

SLURM calls a member of a sweep COMPLETED however it ended. In a job the file also names the job,
its restarts, its host and its cluster. A job that is killed at once cannot write how it ended: then
`settle` asks SLURM and writes it, on behalf of whoever looks next.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.run import lock, lost_job, queue, slurm
from imagen_lit.run.state import STATUS as FILE


@contextmanager
def tracked(folder: Path, sentence: Callable[[Exception], str]) -> Iterator[None]:
    """Keep the file up to date while a run is trained; `sentence` puts an error into words."""
    write(folder, "running")
    try:
        yield
    except Exception as error:
        # From all ranks: the first to fail knows why, the others only know that a peer is gone.
        if read(folder).get("state") != "failed":
            _write(folder, "failed", error=sentence(error))
        raise
    except BaseException:
        write(folder, "stopped")
        raise
    write(folder, "finished")


def refuse_beside_a_job(folder: Path) -> None:
    """Outside SLURM, raise if a SLURM job trains in the folder, or will resume there."""
    status = {} if slurm.in_job() else settle(folder)
    if lost_job.is_open(status):
        raise RunError(
            f"job {status['job']} is training in the run folder {folder}, by its status.json. Let "
            f"it finish, or end it with scancel {status['job']}; if it is already gone and SLURM "
            f"cannot be asked here, remove {folder / FILE} and type the same command again."
        )


def settle(folder: Path) -> dict[str, Any]:
    """The status of a run; corrected in the file too, if it says that a job trains and SLURM says
    that this job is over. Left as it is where SLURM cannot be asked."""
    status = read(folder)
    if not lost_job.is_open(status):
        return status
    if not lost_job.is_ours(folder, status.get("cluster"), queue.cluster):
        return status
    ending = lost_job.ending(queue.end(status["job"]) or "")
    if not ending or read(folder) != status:  # it wrote its own last word
        return read(folder)
    status |= ending
    write_json(folder / FILE, status, indent=None)
    return status


@rank_zero_only
def write(folder: Path, state: str) -> None:
    """Record a state, unless another start has taken the folder."""
    _write(folder, state)


def read(folder: Path) -> dict[str, Any]:
    """The status of a run; empty before its first start, or where the file is damaged: the next
    start writes it anew."""
    file = Path(folder) / FILE
    try:
        return json_file.read(file, "Remove it.") if file.exists() else {}
    except InputError:
        return {}


def _write(folder: Path, state: str, **details: str) -> None:
    if not lock.is_held(folder):
        return  # by now the file describes another start
    job: dict[str, Any] = {}
    if slurm.in_job():
        job = {"job": slurm.job_id(), "restarts": slurm.restarts(), "host": slurm.host()}
        job |= {"cluster": cluster} if (cluster := slurm.cluster()) else {}
    write_json(folder / FILE, {"state": state, **details, **job}, indent=None)
