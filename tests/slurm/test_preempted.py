"""Runs that are preempted by a more urgent job, and resume."""

import pytest
from jobs import Jobs, assert_resumed, preempt

pytestmark = pytest.mark.slurm

IMAGES = 640


@pytest.mark.parametrize(("partition", "every"), [("main", 10_000), ("abrupt", 64)])
def test_preempted_runs_resume(jobs: Jobs, partition: str, every: int) -> None:
    """On two nodes, and on one node with a loader worker. With ten seconds of grace they save at
    the signal; without any, an earlier checkpoint has to do."""
    images = {f"{partition}-wide": IMAGES, f"{partition}-alone": 4 * IMAGES}  # it starts sooner
    wide, alone = images
    words, options = f"callbacks.checkpoint.every={every}", {"partition": partition}
    ids = {
        wide: jobs.train(words, name=wide, images=images[wide], nodes=2, **options),
        alone: jobs.train(words, "data.workers=1", name=alone, images=images[alone], **options),
    }
    for name in ids:
        jobs.wait_for_training(name, after=64)
    before = {name: jobs.logged(name)[-1] for name in ids}
    preempt(jobs)
    for name, job in ids.items():
        assert_resumed(jobs, job, name, images[name], after=min(before[name], every))
        assert "asks to be requeued" not in jobs.log(name), "SLURM requeues it, not the run"
