"""The SLURM requeue: asking for this job to be run again after it is killed."""

import os
import subprocess

from imagen_lit.run import slurm

# What scontrol answers when the job is already on its way back into the queue.
UNDER_WAY = ("Job is pending execution", "already completing or completed")


def requeue(env: slurm.Environment = os.environ) -> str | None:
    """Ask for the job to be run again; None if it will be, or SLURM's reason why not.

    If SLURM agrees, it kills every process of the job some seconds later.
    """
    try:
        answer = subprocess.run(
            ["scontrol", "requeue", slurm.job_id(env)], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    reason = answer.stderr.strip()
    if answer.returncode == 0 or any(words in reason for words in UNDER_WAY):
        return None
    return reason or f"scontrol ended with {answer.returncode}"
