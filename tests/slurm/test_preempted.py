"""Runs that give way to something more urgent, and go on."""

from pathlib import Path

import pytest
from jobs import Jobs, is_whole
from lab import Lab

pytestmark = pytest.mark.slurm

IMAGES = 640


def something_more_urgent_comes(jobs: Jobs) -> None:
    urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
    assert jobs.ends(urgent, "-")["JobState"] == "COMPLETED"


def went_on(jobs: Jobs, job: str, name: str, images: int, after: int) -> None:
    """The run gave way once, saved no earlier than `after`, went on from there, and to its end."""
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    (state,) = jobs.went_on(name)
    assert after <= state < images, jobs.log(name)
    is_whole(jobs, name, images)


@pytest.mark.parametrize(("partition", "every"), [("main", 10_000), ("abrupt", 64)])
def test_runs_that_give_way_to_another_go_on(jobs: Jobs, partition: str, every: int) -> None:
    """On two nodes, and on one node with a loader worker. With ten seconds of grace they save at
    the signal; without any, a state that they saved before has to do."""
    images = {f"{partition}-wide": IMAGES, f"{partition}-alone": 4 * IMAGES}  # it begins sooner
    wide, alone = images
    words, kind = f"callbacks.checkpoint.every={every}", {"partition": partition}
    ids = {
        wide: jobs.train(words, name=wide, images=images[wide], nodes=2, **kind),
        alone: jobs.train(words, "data.workers=1", name=alone, images=images[alone], **kind),
    }
    for name in ids:
        jobs.learns(name, after=64)
    learnt = {name: jobs.journal(name)[-1] for name in ids}
    something_more_urgent_comes(jobs)
    for name, job in ids.items():
        went_on(jobs, job, name, images[name], after=min(learnt[name], every))
        assert "is requeued" not in jobs.log(name), "SLURM sees to it, not the run"


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
