"""What SLURM says of the job that this process is a task of: functions of its environment.

Only `requeue` and `remembering` do something. Outside a job, and in the shell that `salloc` opens,
nothing here applies: `inside` is False.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

Environment = Mapping[str, str]

# Job names under which Lightning takes a process for one that a person started by hand.
BY_HAND = ("bash", "interactive")

# Time is nearly up, by the launcher's choice of one of two; something else needs the nodes.
GIVE_WAY = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)

# What scontrol answers where the job is on its way back into the queue without us.
UNDER_WAY = ("Job is pending execution", "already completing or completed")


def inside(env: Environment = os.environ) -> bool:
    """This process is a task of a job."""
    return "SLURM_JOB_ID" in env and "SLURM_PROCID" in env and not by_hand(env)


def by_hand(env: Environment = os.environ) -> bool:
    return env.get("SLURM_JOB_NAME") in BY_HAND and int(env.get("SLURM_NTASKS", 1)) == 1


def job(env: Environment = os.environ) -> str:
    """The name of the job for `scontrol requeue`. A member of an array has two: the number of the
    last one is the array's own too, and would requeue them all."""
    if "SLURM_ARRAY_JOB_ID" in env:
        return f"{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    return env["SLURM_JOB_ID"]


def restarts(env: Environment = os.environ) -> int:
    """How often the job was requeued before this start."""
    return int(env.get("SLURM_RESTART_COUNT") or 0)


def host(env: Environment = os.environ) -> str:
    return env.get("SLURMD_NODENAME", socket.gethostname())


def refuse_other_size(world_size: int, env: Environment = os.environ) -> None:
    """Raise unless as many processes train together as SLURM has started.

    Each of two that train alone would take itself for the first, and write the same files.
    """
    tasks, nodes = int(env.get("SLURM_NTASKS", 1)), int(env.get("SLURM_NNODES", 1))
    each, rest = divmod(tasks, nodes)
    if tasks > 1 and "SLURM_STEP_ID" not in env:
        raise ValueError(
            f"the job has {tasks} tasks, and this process was started without srun: "
            "type srun python -m imagen_lit.train ..."
        )
    if world_size != tasks and rest:
        raise ValueError(
            f"the job has {tasks} tasks on {nodes} nodes: ask SLURM for the same number on each "
            "node, with --ntasks-per-node"
        )
    if world_size != tasks:
        raise ValueError(
            f"the job has {tasks} tasks, and the trainer expects {world_size}: type trainer=ddp "
            f"trainer.num_nodes={nodes} trainer.devices={each}, or ask SLURM for another number"
        )


class Remembering:
    """A handler of signals that keeps which ones came, for whoever will obey them."""

    def __init__(self) -> None:
        self.heard: set[int] = set()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.heard.add(number)


@contextmanager
def remembering(env: Environment = os.environ) -> Iterator[None]:
    """In a job, what asks a task to give way is kept in mind while it makes ready."""
    if not inside(env):
        yield
        return
    handler = Remembering()
    before = {name: signal.signal(name, handler) for name in GIVE_WAY}
    try:
        yield
    finally:
        for name, its in before.items():
            signal.signal(name, its)


def requeue(env: Environment = os.environ) -> str | None:
    """Ask for the job to be run again; None if it will be, or else what SLURM has against it.

    Where it is granted, every process of the job is killed some seconds later.
    """
    try:
        asked = subprocess.run(
            ["scontrol", "requeue", job(env)], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = asked.stderr.strip()
    if asked.returncode == 0 or any(words in said for words in UNDER_WAY):
        return None
    return said or f"scontrol ended with {asked.returncode}"
