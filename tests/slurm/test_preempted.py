"""Runs that give way to something more urgent, and go on."""

import pytest
from jobs import Jobs, something_more_urgent_comes, went_on

pytestmark = pytest.mark.slurm

IMAGES = 640


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
