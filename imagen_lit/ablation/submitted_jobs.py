"""The jobs of SLURM's that were submitted for cells: <runs>/ablation/jobs.jsonl, a line for each,
only ever appended. What has become of them, SLURM's queue says.
"""

import json
import os
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagen_lit.run import queue

FILE = "ablation/jobs.jsonl"
WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")


def read(runs: Path) -> list[dict[str, Any]]:
    """Every submission that can be read."""
    file = runs / FILE
    rows = []
    for line in file.read_text(errors="replace").splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # a kill has cut it
            continue
        if isinstance(row, dict) and isinstance(row.get("cell"), str) and row.get("job"):
            rows.append(row)
    return rows


def append(runs: Path, cell: str, job: str, facts: Mapping[str, Any]) -> None:
    """Record that a job is to do a cell, for the ablation that `facts` names."""
    file = runs / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {"cell": cell, "job": job, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    with file.open("a+") as handle:
        handle.seek(0)
        text = handle.read()
        cut = "\n" if text and not text.endswith("\n") else ""
        handle.write(f"{cut}{json.dumps({**row, **facts})}\n")
        handle.flush()
        os.fsync(handle.fileno())


def jobs(runs: Path) -> dict[str, str]:
    """The job that was submitted last for each cell."""
    return {row["cell"]: str(row["job"]) for row in read(runs)}


def in_queue(runs: Path) -> dict[str, str] | None:
    """The jobs that are in the queue, by cell, and not about to leave it; None if SLURM does not
    answer."""
    there = _entries(runs)
    if there is None:
        return None
    return {
        cell: job
        for cell, job in jobs(runs).items()
        if job in there and not (there[job].state == "COMPLETING" and queue.end(job))
    }


def left(runs: Path, facts: Mapping[str, Any], cells: Container[str]) -> dict[str, str]:
    """The jobs in the queue, by cell, that were submitted for this ablation alone, and whose cell
    is none of its `cells` any more."""
    users: dict[str, list[dict[str, Any]]] = {}
    for row in read(runs):
        user = {key: row.get(key) for key in facts}
        users.setdefault(str(row["job"]), []).append(user)
    return {
        cell: job
        for cell, job in (in_queue(runs) or {}).items()
        if cell not in cells and all(user == facts for user in users[job])
    }


def states(runs: Path) -> dict[str, tuple[str, str]]:
    """State and reason of the cells whose jobs are in the queue; {} where SLURM cannot be asked."""
    there = _entries(runs)
    if not there:
        return {}
    return {
        cell: ("queued", f"job {job}: {entry.reason}")
        if entry.state in WAITING
        else ("running", f"job {job} on {entry.nodes}")
        for cell, job in jobs(runs).items()
        if (entry := there.get(job)) is not None
    }


def is_silent(runs: Path) -> bool:
    """Whether jobs were submitted, and SLURM cannot be asked what has become of them."""
    return _entries(runs) is None


def _entries(runs: Path) -> dict[str, queue.Entry] | None:
    ids = dict.fromkeys(jobs(runs).values())
    return queue.entries(",".join(ids)) if ids else {}
