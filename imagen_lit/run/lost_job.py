"""A job that was killed at once, or with its node, cannot say how its run ended: status.json says
`running` for good. SLURM knows more, and is asked here; nothing is written.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from imagen_lit.run import queue
from imagen_lit.run.state import STATUS

OPEN = ("running", "preempted")  # what a run that is not over says
FAILED = ("FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")  # SLURM's words


def is_open(status: Mapping[str, Any]) -> bool:
    """Whether a status says that a job trains, or will resume."""
    return status.get("state") in OPEN and "job" in status


def is_ours(folder: Path, cluster: str | None, here: Callable[[], str | None]) -> bool:
    """Whether SLURM, as this user sees it here, would show the job: a site may hide the jobs of
    others, and another cluster has other jobs. `here` names the cluster that answers."""
    is_mine = (folder / STATUS).stat().st_uid == os.getuid()
    return is_mine and (cluster is None or cluster == here())


def ending(end: str) -> dict[str, str]:
    """The state in which a job that SLURM ended so has left its run, with the error if it failed;
    empty while the job may still have a last word."""
    if not end or end == "COMPLETING":
        return {}
    if end in FAILED:
        return {"state": "failed", "error": f"SLURM ended the job: {end}"}
    return {"state": "stopped"}


def reason(job: str, end: str) -> str:
    """Why a run is over that says nothing of it, in words."""
    if end == queue.GONE:
        return f"SLURM no longer knows job {job}, which had no time to say how it ended"
    return f"SLURM ended job {job} ({end}), which had no time to say more"
