"""A preempted run that receives its own signal, where SLURM would requeue it as well."""

from pathlib import Path

import pytest
from jobs import Jobs, assert_resumed, preempt
from lab import Lab

pytestmark = pytest.mark.slurm

IMAGES = 640


def test_a_run_preempted_by_its_own_signal_is_requeued_once(
    lab: Lab, home: Path, tmp_path: Path
) -> None:
    """Where the site has preempt_send_user_signal, the run and SLURM both ask for the requeue."""
    with Lab(tmp_path, user_signal=True) as other:
        jobs = Jobs(other, home)
        job = jobs.train(name="own", images=IMAGES)
        images = jobs.wait_for_training("own", after=64)
        preempt(jobs)
        assert_resumed(jobs, job, "own", IMAGES, after=images)
        assert f"job {job} asks to be requeued" in jobs.log("own"), "it received USR2, not TERM"
