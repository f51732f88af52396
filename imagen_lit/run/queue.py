"""What SLURM answers about jobs, to any process that can reach it.

A job that was cancelled and one that will be started again receive the same signal, and are both
COMPLETING. Their run time tells them apart: SLURM counts from zero for a job that it queues again.
"""

import re
import subprocess
from typing import NamedTuple

COLUMNS = ("JobArrayID", "State", "RestartCnt", "NodeList", "Reason")
GONE = "GONE"

IN_QUEUE = {"PENDING", "CONFIGURING", "RUNNING", "SIGNALING", "STAGE_OUT", "RESIZING", "SUSPENDED"}
IN_QUEUE |= {"STOPPED", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}


class Entry(NamedTuple):
    """A job in the queue."""

    state: str
    restarts: int
    nodes: str
    reason: str


def entries(job: str) -> dict[str, Entry] | None:
    """The jobs in the queue, by id: this job, or every member of this array that is still there.
    None if SLURM does not answer."""
    columns = ",".join(f"{column}:|" for column in COLUMNS)
    answer = ask("squeue", "--noheader", "--array", f"--jobs={job}", f"--Format={columns}")
    if answer is None or is_unknown(answer):
        return None if answer is None else {}
    return parse(answer)


def parse(table: str) -> dict[str, Entry]:
    """squeue's lines, by the id of each job."""
    rows = (line.split("|") for line in table.splitlines() if line.count("|") >= len(COLUMNS))
    return {
        job: Entry(state, int(restarts or 0), nodes, reason)
        for job, state, restarts, nodes, reason, *_ in rows
    }


def end(job: str) -> str | None:
    """How a job has ended or is ending for good (CANCELLED, TIMEOUT, …; GONE when SLURM no longer
    knows it); empty while it is in the queue or on its way back there. None if SLURM does not
    answer."""
    answer = ask("scontrol", "--oneliner", "show", "job", job)
    if answer is None or is_unknown(answer):
        return None if answer is None else GONE
    fields = dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", answer))
    state = fields.get("JobState")
    if state is None:
        return None
    returns = state == "COMPLETING" and fields.get("RunTime") == "00:00:00"
    return "" if returns or state in IN_QUEUE else state


def cluster() -> str | None:
    """The name of the cluster that answers here."""
    answer = ask("scontrol", "show", "config")
    name = re.search(r"^ClusterName\s*=\s*(\S+)", answer or "", flags=re.MULTILINE)
    return name and name[1]


def ask(*words: str) -> str | None:
    """What a command of SLURM prints, its complaints included; None if it cannot be asked."""
    for _ in range(3):  # in a job that is signalled, the command may be signalled too, and die
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode == 0 or is_unknown(done.stderr):
            return done.stdout + done.stderr
        if done.returncode > 0:
            return None
    return None


def is_unknown(answer: str) -> bool:
    """Whether SLURM says that it has no such job (any more)."""
    return "Invalid job id specified" in answer
