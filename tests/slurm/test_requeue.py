"""A single run, submitted once, whose time is up."""

import pytest
from jobs import Jobs, assert_complete, wait_until

from imagen_lit.run import run_folder

pytestmark = pytest.mark.slurm

IMAGES = 640


def test_a_run_out_of_time_is_requeued_or_trains_on_if_it_may_not_be(jobs: Jobs) -> None:
    """Side by side, one with loader workers. test_lost_node.py has it with two nodes."""
    job = jobs.train("data.workers=1", name="time", images=IMAGES)
    once = jobs.train(name="once", images=IMAGES, **{"no-requeue": ""})
    for each, name in ((job, "time"), (once, "once")):
        jobs.wait_for_training(name)
        jobs.signal(each, "USR2")
    wait_until(lambda: jobs.status("time")["state"] == "preempted", lambda: jobs.log("time"))
    assert 0 < run_folder.images_seen(jobs.home / "runs/time") < IMAGES

    fields = jobs.wait_for_end(once, "once")
    assert (fields["JobState"], fields["Restarts"]) == ("COMPLETED", "0"), jobs.log("once")
    assert "is not requeued" in jobs.log("once")
    assert_complete(jobs, "once", IMAGES)
    fields = jobs.wait_for_end(job, "time")
    assert (fields["JobState"], fields["Restarts"]) == ("COMPLETED", "1"), jobs.log("time")
    assert f"job {job} asks to be requeued" in jobs.log("time")
    assert_complete(jobs, "time", IMAGES)
    assert jobs.status("time")["restarts"] == 1
