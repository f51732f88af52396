"""What to set when SLURM refuses a job, or accepts one that can never start.

SLURM's words say what is wrong in general; what the job asks for, beside what `sinfo` says of the
partition's nodes, says which setting it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from imagen_lit.run import queue

NameOf = Callable[[str], str]  # of a setting, as the person types it
TOO_LARGE = r"configuration is not available|PartitionConfig|processors requested|Memory|CPU count"
TOO_LARGE += r"|Node count|PartitionNodeLimit"

# Reasons that never pass: the job cannot start unless it asks for something else.
NEVER = r"Partition(Config|TimeLimit|NodeLimit)|BadConstraints|PerJob|Invalid|NotAllowed"

# In SLURM's words, of a refusal or of the reason for which a job waits -> the settings to change.
SETTINGS = {
    r"[Pp]artition name|partition specified|not permitted to use this partition": "partition",
    r"time limit|TimeLimit|WallDuration": "timeout_min",
    r"account|Account|Assoc": "account",
    r"\bqos\b|QOS|AssocMax": "qos",
    r"gres|Gres|GRES": "gpus_per_node",
    r"feature|BadConstraints": "constraint",
    r"node name": "exclude",
}


class Node(NamedTuple):
    """A node of a partition, and the partition's limit of time in SLURM's words."""

    partition: str
    cpus: int
    memory_mib: int
    gpus: int
    time_limit: str


def never_passes(reason: str) -> bool:
    """Whether a job that waits for this reason waits in vain."""
    return re.search(NEVER, reason) is not None


def nodes() -> list[Node]:
    """All nodes of all partitions; empty if SLURM does not answer."""
    table = queue.ask("sinfo", "--noheader", "--Node", "--format=%R|%c|%m|%G|%l")
    return parse(table or "")


def parse(table: str) -> list[Node]:
    """sinfo's lines."""
    rows = (line.split("|") for line in table.splitlines() if line.count("|") == 4)
    return [
        Node(partition, int(cpus.rstrip("+")), int(memory.rstrip("+")), _gpus(gres), limit)
        for partition, cpus, memory, gres, limit in rows
    ]


def of_sweep(key: str) -> str:
    """How a setting is typed for the jobs of a sweep."""
    return f"hydra.launcher.{key}"


def advice(
    reason: str, job: Mapping[str, Any], nodes: Sequence[Node], name_of: NameOf = of_sweep
) -> str | None:
    """One or two sentences; None for a reason that has no setting here."""
    here = [node for node in nodes if node.partition == job.get("partition")]
    partitions = sorted({node.partition for node in nodes})
    if re.search(TOO_LARGE, reason):
        return _too_large(job, here or list(nodes), name_of)
    key = next((key for pattern, key in SETTINGS.items() if re.search(pattern, reason)), None)
    if key is None:
        return None
    if key == "partition" and partitions:
        return f"Set {name_of('partition')}=<one of {', '.join(partitions)}>."
    if key == "timeout_min" and here:
        limit = f"The partition {here[0].partition} allows {here[0].time_limit}. "
        return f"{limit}Set {name_of('timeout_min')}=<minutes> to that or less."
    return f"Set {name_of(key)}=<what your site gives you>, or null."


def _too_large(job: Mapping[str, Any], nodes: Sequence[Node], name_of: NameOf) -> str:
    wants = {
        "mem_gb": job.get("mem_gb") or 0,
        "cpus_per_task": job.get("cpus_per_task") or 1,
        "gpus_per_node": job.get("gpus_per_node") or 0,
        "nodes": job.get("nodes") or 1,
    }
    keys = " or ".join(map(name_of, wants))
    if not nodes:
        return f"Lower {keys}."
    tasks = job.get("tasks_per_node") or 1
    cpus, gpus = max(node.cpus for node in nodes), max(node.gpus for node in nodes)
    memory = max(node.memory_mib for node in nodes)
    has = {
        "mem_gb": memory // 1024,
        "cpus_per_task": cpus // tasks,
        "gpus_per_node": gpus,
        "nodes": len(nodes) if len({node.partition for node in nodes}) == 1 else wants["nodes"],
    }
    size = f"{cpus} CPUs, {memory:,} MB, {gpus} GPUs"
    where = f"The largest node of {nodes[0].partition if job.get('partition') else 'all'} has"
    changes = [f"{name_of(key)}={has[key] or 'null'}" for key in wants if wants[key] > has[key]]
    change = f"Set {' '.join(changes)}." if changes else f"Lower {keys}."
    return f"{where} {size}. {change}"


def _gpus(gres: str) -> int:
    """The GPUs in a list such as `gpu:a100:4(S:0-1),shard:8`."""
    counts = re.findall(r"\bgpu(?::[^,:(]+)??:(\d+)", gres)
    return sum(map(int, counts))
