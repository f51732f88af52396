"""A single run, submitted once, survives whatever SLURM does to it."""

from pathlib import Path

import pytest
from jobs import Jobs, is_whole, until
from lab import Lab

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


def gives_way(jobs: Jobs, job: str, name: str, images: int, after: int) -> None:
    """Something more urgent has come; the run goes on later than `after`, and to its end."""
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    (state,) = jobs.went_on(name)
    assert after <= state < images, jobs.log(name)
    is_whole(jobs, name, images)


@pytest.mark.parametrize("partition", ["main", "abrupt"])
def test_runs_that_give_way_to_another_go_on(jobs: Jobs, partition: str) -> None:
    """On two nodes, and on one node; with loader workers on one of them."""
    wide, alone = f"{partition}-wide", f"{partition}-alone"
    images = {wide: IMAGES, alone: 4 * IMAGES}  # this one begins sooner
    # With ten seconds of grace a run saves at the signal. Without any it has what it saved before.
    every = {"main": 10_000, "abrupt": 64}[partition]
    words = f"callbacks.checkpoint.every={every}"
    ids = {
        wide: jobs.train(words, name=wide, images=images[wide], nodes=2, partition=partition),
        alone: jobs.train(
            words, "data.workers=1", name=alone, images=images[alone], partition=partition
        ),
    }
    for name in ids:
        jobs.learns(name, after=64)
    learnt = {name: jobs.journal(name)[-1] for name in ids}
    urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
    assert jobs.ends(urgent, "-")["JobState"] == "COMPLETED"
    for name, job in ids.items():
        after = learnt[name] if partition == "main" else 64
        gives_way(jobs, job, name, images[name], after)


def test_a_run_that_gives_way_at_its_own_signal_is_requeued_once(
    lab: Lab, home: Path, tmp_path: Path
) -> None:
    """Where the site has preempt_send_user_signal: the run and SLURM both see to the requeue."""
    with Lab(tmp_path, user_signal=True) as other:
        jobs = Jobs(other, home)
        job = jobs.train(name="own", images=IMAGES)
        learnt = jobs.learns("own", after=64)
        urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
        assert jobs.ends(urgent, "-")["JobState"] == "COMPLETED"
        gives_way(jobs, job, "own", IMAGES, learnt)
        assert f"job {job} is requeued" in jobs.log("own"), "this is said after USR2, not TERM"
