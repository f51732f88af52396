"""A single run, submitted once, survives whatever SLURM does to it."""

import pytest
from jobs import BATCH, Jobs, until

from imagen_lit import run_folder

pytestmark = pytest.mark.slurm

IMAGES = 640


def is_whole(jobs: Jobs, name: str, images: int = IMAGES) -> None:
    """Every batch was learnt, none twice, and the run says so."""
    assert jobs.journal(name) == list(range(BATCH, images + 1, BATCH)), jobs.log(name)
    assert run_folder.images_seen(jobs.home / "runs" / name) == images
    assert jobs.status(name)["state"] == "finished"


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_run_whose_time_is_up_is_requeued_and_goes_on(jobs: Jobs, nodes: int) -> None:
    name = f"time-{nodes}"
    job = jobs.train("data.workers=1", name=name, images=IMAGES, nodes=nodes)
    jobs.learns(name)
    jobs.signal(job, "USR2")
    until(lambda: jobs.status(name)["state"] == "preempted", lambda: jobs.log(name))
    assert 0 < run_folder.images_seen(jobs.home / "runs" / name) < IMAGES
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    assert f"job {job} is requeued" in jobs.log(name)
    is_whole(jobs, name)
    assert jobs.status(name)["restarts"] == 1


@pytest.mark.parametrize(("partition", "nodes"), [("main", 2), ("abrupt", 1)])
def test_a_run_that_gives_way_to_another_goes_on(jobs: Jobs, partition: str, nodes: int) -> None:
    name = f"way-{partition}"
    job = jobs.train(name=name, images=IMAGES, nodes=nodes, partition=partition)
    jobs.learns(name)
    urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
    assert jobs.ends(urgent, "-")["JobState"] == "COMPLETED"
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    is_whole(jobs, name)


def test_a_run_that_may_not_be_requeued_saves_and_goes_on(jobs: Jobs) -> None:
    job = jobs.train(name="once", images=IMAGES, **{"no-requeue": ""})
    jobs.learns("once")
    jobs.signal(job, "USR2")
    until(lambda: "is not requeued" in jobs.log("once"), lambda: jobs.log("once"))
    said = jobs.ends(job, "once")
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "0"), jobs.log("once")
    is_whole(jobs, "once")
