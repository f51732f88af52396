"""The jobs of SLURM's that were submitted for cells: <runs>/ablation/jobs.jsonl, a line for each,
only ever appended. What has become of them, SLURM's queue says.
"""

import json
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


def states(runs: Path) -> dict[str, tuple[str, str]]:
    """State and reason of the cells whose jobs are in the queue; {} where SLURM cannot be asked."""
    jobs = {row["cell"]: str(row["job"]) for row in read(runs)}
    there = queue.entries(",".join(dict.fromkeys(jobs.values()))) if jobs else None
    if not there:
        return {}
    return {
        cell: ("queued", f"job {job}: {entry.reason}")
        if entry.state in WAITING
        else ("running", f"job {job} on {entry.nodes}")
        for cell, job in jobs.items()
        if (entry := there.get(job)) is not None
    }
