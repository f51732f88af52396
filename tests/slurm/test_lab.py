"""The lab itself: a job sees what it would see on a cluster, and the lab leaves nothing behind."""

from pathlib import Path

import pytest
from jobs import wait_until
from lab import Lab

pytestmark = pytest.mark.slurm


def test_a_job_on_two_nodes_knows_their_names_and_reaches_them(lab: Lab) -> None:
    script = "hostname; getent hosts n1 n2 | wc -l; echo $SLURM_PROCID of $SLURM_NTASKS"
    output = lab.call("srun", "-J", "names", "--nodes=2", "--label", "sh", "-c", script)
    assert sorted(output.splitlines()) == [
        *("0: 0 of 2", "0: 2", "0: n1"),
        *("1: 1 of 2", "1: 2", "1: n2"),
    ]


def test_gpus_are_assigned_and_stopping_ends_jobs_of_lost_nodes(lab: Lab, tmp_path: Path) -> None:
    with Lab(tmp_path, gpus=2) as other:  # beside the first one
        srun = ["srun", "-J", "gpus", "--nodes=1"]
        assert other.call(*srun, "--gpus-per-node=2", "printenv", "CUDA_VISIBLE_DEVICES") == "0,1"
        other.call("sbatch", "--nodes=2", "--output=/dev/null", "--wrap=srun sleep 600")
        wait_until(lambda: len(other.processes("n2")) > 1, lambda: other.call("squeue"))
        other.lose_node("n2")
        assert other.processes("n2"), "by design, a job outlives its node's slurmd"
    wait_until(lambda: not other.processes(), lambda: str(other.processes()), 10)
    assert lab.node_states() == {"n1": "idle", "n2": "idle"}, "the first one is not affected"
