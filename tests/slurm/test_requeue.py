"""A single run, submitted once, whose time is up."""

import pytest
from jobs import Jobs, is_whole, until

from imagen_lit import run_folder

pytestmark = pytest.mark.slurm

IMAGES = 640


def test_a_run_whose_time_is_up_is_requeued_and_one_that_may_not_be_goes_on(jobs: Jobs) -> None:
    """Side by side, one with loader workers. test_lost_node.py has it with two nodes."""
    job = jobs.train("data.workers=1", name="time", images=IMAGES)
    once = jobs.train(name="once", images=IMAGES, **{"no-requeue": ""})
    for each, name in ((job, "time"), (once, "once")):
        jobs.learns(name)
        jobs.signal(each, "USR2")
    until(lambda: jobs.status("time")["state"] == "preempted", lambda: jobs.log("time"))
    assert 0 < run_folder.images_seen(jobs.home / "runs/time") < IMAGES

    said = jobs.ends(once, "once")
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "0"), jobs.log("once")
    assert "is not requeued" in jobs.log("once")
    is_whole(jobs, "once", IMAGES)
    said = jobs.ends(job, "time")
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log("time")
    assert f"job {job} is requeued" in jobs.log("time")
    is_whole(jobs, "time", IMAGES)
    assert jobs.status("time")["restarts"] == 1
