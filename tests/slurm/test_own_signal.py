"""A run that gives way at a signal of its own, where SLURM would requeue it as well."""

from pathlib import Path

import pytest
from jobs import Jobs, something_more_urgent_comes, went_on
from lab import Lab

pytestmark = pytest.mark.slurm

IMAGES = 640


def test_a_run_that_gives_way_at_its_own_signal_is_requeued_once(
    lab: Lab, home: Path, tmp_path: Path
) -> None:
    """Where the site has preempt_send_user_signal, the run and SLURM both see to the requeue."""
    with Lab(tmp_path, user_signal=True) as other:
        jobs = Jobs(other, home)
        job = jobs.train(name="own", images=IMAGES)
        learnt = jobs.learns("own", after=64)
        something_more_urgent_comes(jobs)
        went_on(jobs, job, "own", IMAGES, after=learnt)
        assert f"job {job} is requeued" in jobs.log("own"), "it heard USR2, not TERM"
