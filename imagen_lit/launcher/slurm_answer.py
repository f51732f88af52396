"""Whether SLURM would take jobs like these, asked before any is submitted."""

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.run import sbatch_advice, slurm_executor

FLAGS = {
    "partition": "partition",
    "account": "account",
    "qos": "qos",
    "constraint": "constraint",
    "exclude": "exclude",
    "time": "timeout_min",
    "nodes": "nodes",
    "ntasks-per-node": "tasks_per_node",
    "cpus-per-task": "cpus_per_task",
    "gpus-per-node": "gpus_per_node",
    "gres": "gres",
}
OTHERWISE = (
    "Set the keys under launcher as your site wants them, or launcher=serial to do all on this "
    "machine."
)


def require(requests: Sequence[Mapping[str, Any]]) -> None:
    """Raise unless SLURM answers here, and could start each of these jobs some day."""
    nodes = sbatch_advice.nodes()
    if not nodes:
        raise InputError(
            "SLURM does not answer on this machine: sinfo shows no nodes. Type the same where "
            "squeue works, or set launcher=serial to do all on this machine."
        )
    for flags, request in {tuple(_flags(each)): each for each in requests}.items():
        partitions = sorted({node.partition for node in nodes})
        if (partition := request["partition"]) and not set(partition.split(",")) <= {*partitions}:
            raise InputError(
                f"SLURM has no partition {partition}. "
                f"Set launcher.partition=<one of {', '.join(partitions)}>."
            )
        if reason := _objection(flags):
            raise InputError(refusal(reason, request))


def refusal(reason: str, request: Mapping[str, Any]) -> str:
    """Why SLURM does not take a job, and what to set."""
    return slurm_executor.refusal(reason, request, OTHERWISE, typed)


def typed(key: str) -> str:
    """How a setting of a job is typed: its nodes are those of the trainer."""
    return "train.trainer.num_nodes" if key == "nodes" else f"launcher.{key}"


def _flags(request: Mapping[str, Any]) -> list[str]:
    flags = {flag: request.get(key) for flag, key in FLAGS.items()}
    flags |= {"mem": f"{request['mem_gb']}GB" if request.get("mem_gb") else None}
    return [f"--{flag}={value}" for flag, value in flags.items() if value is not None]


def _objection(flags: Sequence[str]) -> str:
    """What sbatch says against a job, without submitting it."""
    words = ["sbatch", "--test-only", *flags, "--output=/dev/null", "--wrap=true"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""
