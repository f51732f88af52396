"""What SLURM says about the job that this process is a task of, read from its environment.

Outside a job, and in the shell that `salloc` opens, nothing here applies: `in_job` is False.
"""

import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from imagen_lit.basics.errors import InputError

Environment = Mapping[str, str]

# Job names for which Lightning assumes that a person started the process by hand.
INTERACTIVE = ("bash", "interactive")

# Time is nearly up (the launcher chooses one of the first two), or another job needs the nodes.
PREEMPTION_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)


def in_job(env: Environment = os.environ) -> bool:
    """Whether this process is a task of a job."""
    return "SLURM_JOB_ID" in env and "SLURM_PROCID" in env and not is_interactive(env)


def is_interactive(env: Environment = os.environ) -> bool:
    """Whether a person started this process in the shell of a job."""
    return env.get("SLURM_JOB_NAME") in INTERACTIVE and int(env.get("SLURM_NTASKS", 1)) == 1


def job_id(env: Environment = os.environ) -> str:
    """The job's id as `scontrol requeue` wants it. A member of an array has two ids; SLURM_JOB_ID
    of the last member is the array's own, and would requeue them all."""
    if "SLURM_ARRAY_JOB_ID" in env:
        return f"{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    return env["SLURM_JOB_ID"]


def restarts(env: Environment = os.environ) -> int:
    """How often the job was requeued before this start."""
    return int(env.get("SLURM_RESTART_COUNT") or 0)


def host(env: Environment = os.environ) -> str:
    """The node's name."""
    return env.get("SLURMD_NODENAME", socket.gethostname())


def cluster(env: Environment = os.environ) -> str | None:
    """The cluster's name."""
    return env.get("SLURM_CLUSTER_NAME")


def check_world_size(world_size: int, env: Environment = os.environ) -> None:
    """Raise unless as many processes train together as SLURM has started.

    Two that trained separately would each assume rank 0, and write the same files.
    """
    tasks, nodes = int(env.get("SLURM_NTASKS", 1)), int(env.get("SLURM_NNODES", 1))
    per_node, rest = divmod(tasks, nodes)
    if tasks > 1 and "SLURM_STEP_ID" not in env:
        raise InputError(
            f"the job has {tasks} tasks, and this process was started without srun. "
            "Type srun python -m imagen_lit.train ..."
        )
    if world_size != tasks and rest:
        raise InputError(
            f"the job has {tasks} tasks on {nodes} nodes, which is not the same number on each. "
            "Set --ntasks-per-node."
        )
    if world_size != tasks:
        raise InputError(
            f"the job has {tasks} tasks, and the trainer expects {world_size}. Set trainer=ddp "
            f"trainer.num_nodes={nodes} trainer.devices={per_node}, or ask SLURM for as many."
        )


class SignalRecorder:
    """A signal handler that records which signals came, to be acted on later."""

    def __init__(self) -> None:
        self.received: set[int] = set()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Record, and nothing more."""
        self.received.add(number)


@contextmanager
def record_signals(env: Environment = os.environ) -> Iterator[None]:
    """In a job, record the preemption signals that come during a run's setup."""
    if not in_job(env):
        yield
        return
    recorder = SignalRecorder()
    before = {number: signal.signal(number, recorder) for number in PREEMPTION_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
