"""A refusal of SLURM, in its own words, names the setting to change."""

import pytest

from imagen_lit.run import sbatch_advice
from imagen_lit.run.sbatch_advice import Node

NODES = [
    Node("main", 2, 4000, 0, "infinite"),
    Node("main", 2, 4000, 0, "infinite"),
    Node("gpu", 64, 512_000, 8, "1-00:00:00"),
]
SMALL = {"nodes": 1, "tasks_per_node": 1, "cpus_per_task": 1, "mem_gb": None, "gpus_per_node": None}
ON_MAIN = SMALL | {"partition": "main"}


def test_the_nodes_of_a_cluster_are_read() -> None:
    table = "main|2|4000|(null)|infinite\nmain|2|4000|(null)|infinite\n"
    table += "gpu|64+|512000|gpu:a100:8(S:0-1),shard:16|1-00:00:00\n"
    assert sbatch_advice.parse(table) == NODES


@pytest.mark.parametrize(
    ("job", "reason", "keys"),
    [
        ({"mem_gb": 64}, "Memory specification can not be satisfied", "mem_gb=3"),
        ({"mem_gb": 64}, "Memory required by task is not available", "mem_gb=3"),
        ({"mem_gb": 64, "cpus_per_task": 8}, "PartitionConfig", "mem_gb=3 …cpus_per_task=2"),
        ({"cpus_per_task": 8}, "More processors requested than permitted", "cpus_per_task=2"),
        (
            {"gpus_per_node": 1},
            "Requested node configuration is not available",
            "gpus_per_node=null",
        ),
        ({"nodes": 5}, "Node count specification invalid", "nodes=2"),
        ({"partition": "nix"}, "invalid partition specified: nix", "partition=<one of gpu, main>"),
        (
            {"partition": "gpu"},
            "Requested time limit is invalid (missing or exceeds some limit)",
            "timeout_min=<minutes>",
        ),
        ({}, "Invalid account or account/partition combination specified", "account=<"),
        ({}, "Invalid qos specification", "qos=<"),
        ({}, "Invalid feature specification", "constraint=<"),
        ({}, "QOSMaxCpuPerUserLimit", "qos=<"),
        ({"partition": "gpu"}, "PartitionTimeLimit", "timeout_min=<minutes>"),
    ],
)
def test_every_refusal_names_its_setting(job: dict, reason: str, keys: str) -> None:
    advice = sbatch_advice.advice(reason, ON_MAIN | job, NODES)
    expected = f"Set hydra.launcher.{keys.replace('…', 'hydra.launcher.')}"
    assert advice and expected in advice and advice.endswith("."), advice
    assert sbatch_advice.advice(reason, ON_MAIN | job, []), "also where sinfo does not answer"


@pytest.mark.parametrize("reason", ["Priority", "Resources", "QOSMaxCpuPerUserLimit", "BeginTime"])
def test_a_wait_that_passes_is_told_from_one_in_vain(reason: str) -> None:
    assert not sbatch_advice.never_passes(reason)
    assert sbatch_advice.never_passes("PartitionConfig")
    assert sbatch_advice.never_passes("QOSMaxWallDurationPerJobLimit")
