"""How a run stands: `status.json` in its folder, since a scheduler's word is not enough.

    {"state": "running"}     also after a kill that left no time to say more
    {"state": "finished"}
    {"state": "failed", "error": "..."}
    {"state": "stopped"}     by Ctrl-C
    {"state": "preempted"}   saved, and waiting to be killed and started again

SLURM calls a member of a sweep COMPLETED whatever became of it. In a job the file also says which
one, its start and its host.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from imagen_lit import owner, slurm
from imagen_lit.data.aside import aside


@contextmanager
def told(folder: Path, sentence: Callable[[Exception], str]) -> Iterator[None]:
    """Keep the file true while a run is made; `sentence` says an error in words."""
    tell(folder, "running")
    try:
        yield
    except Exception as error:
        # Of all ranks: the first to fail knows why, the others only that a peer is gone.
        if read(folder).get("state") != "failed":
            _write(folder, "failed", error=sentence(error))
        raise
    except BaseException:
        tell(folder, "stopped")
        raise
    tell(folder, "finished")


def refuse_beside_a_job(folder: Path) -> None:
    """Outside SLURM, raise where a job of SLURM trains, or will go on."""
    found = read(folder)
    if not slurm.inside() and found.get("state") in ("running", "preempted") and "job" in found:
        raise RuntimeError(
            f"job {found['job']} is training in the run folder {folder}, by its status.json: let "
            f"it go on, or end it with scancel {found['job']}; if it is gone already, remove "
            f"{folder / 'status.json'} and type the same again"
        )


@rank_zero_only
def tell(folder: Path, state: str) -> None:
    _write(folder, state)


def read(folder: Path) -> dict[str, Any]:
    file = Path(folder) / "status.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _write(folder: Path, state: str, **more: str) -> None:
    where: dict[str, Any] = {}
    if not owner.held(folder):
        return  # it is told of another start by now
    if slurm.inside():
        where = {"job": slurm.job(), "restarts": slurm.restarts(), "host": slurm.host()}
    with aside(folder / "status.json") as file:
        file.write(json.dumps({"state": state, **more, **where}).encode())
