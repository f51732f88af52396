"""The worst that can happen: a node that is lost, and ranks that do not hear a signal alike."""

import functools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jobs import BATCH, Jobs, is_whole, until

pytestmark = pytest.mark.slurm

ROUNDS = int(os.environ.get("SLURM_ROUNDS", "1"))  # of each of two runs; five in CI
ENDLESS = 160_000


def trainers(jobs: Jobs, node: str, name: str) -> list[int]:
    """The processes of a run that train on a node, not their loader's workers."""
    found = {}
    for process in jobs.lab.processes(node):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        ours = b"python" in words[0] and f"name={name}".encode() in words
        if ours and stat[0] != "Z":
            found[process] = int(stat[1])
    return [process for process, parent in found.items() if parent not in found]


def test_a_copy_that_outlives_its_node_writes_nothing_more(jobs: Jobs) -> None:
    """A node's slurmd dies, its job lives on, and SLURM starts the job again on another node. The
    first copy stands still meanwhile and wakes up late, as on a machine that was frozen."""
    job = jobs.train("callbacks.checkpoint.every=64", name="lost", images=ENDLESS)
    learnt = jobs.learns("lost", after=64)
    node = jobs.said(job)["NodeList"]
    jobs.lab.lose_node(node)
    try:
        jobs.learns("lost", after=learnt + 64)  # it trains on, and saves
        (first,) = trainers(jobs, node, "lost")
        os.kill(first, signal.SIGSTOP)
        again = {"JobState": "RUNNING", "Restarts": "1"}
        said = functools.partial(jobs.said, job)
        until(lambda: again.items() <= said().items(), lambda: str(said()), pause=0.3)
        assert jobs.said(job)["NodeList"] != node
        assert trainers(jobs, node, "lost"), "the first copy is there, and nobody there can end it"
        until(lambda: jobs.status("lost")["restarts"] == 1, lambda: jobs.log("lost"))
        os.kill(first, signal.SIGCONT)
        until(lambda: not trainers(jobs, node, "lost"), lambda: "the first copy does not end")
        before = len(jobs.journal("lost"))
        until(lambda: len(jobs.journal("lost")) > before + 20, lambda: jobs.log("lost"))
        alone = jobs.journal("lost")[before:]
        assert alone == list(range(alone[0], alone[-1] + 1, BATCH)), "one hand has written this"
        assert jobs.status("lost")["state"] == "running", "the first copy's error is not the run's"
    finally:
        jobs.lab.call("scancel", job)
        jobs.lab.start_node(node)


def race(jobs: Jobs, rank: int) -> None:
    """Round by round: both ranks are told while this one stands still; only this one is told. Then
    to the end."""
    name, images = f"uneven-{rank}", 160 * (ROUNDS + 1)
    job = jobs.train("data.workers=1", name=name, images=images, nodes=2)
    for number in range(ROUNDS):
        jobs.learns(name, after=jobs.learns(name))
        until(lambda: jobs.status(name)["state"] == "running", lambda: jobs.log(name))
        (process,) = trainers(jobs, jobs.lab.nodes[rank], name)
        if (number + rank) % 2:
            os.kill(process, signal.SIGUSR2)
        else:
            os.kill(process, signal.SIGSTOP)
            jobs.signal(job, "USR2")
            os.kill(process, signal.SIGCONT)
        until(lambda: jobs.status(name)["state"] == "preempted", lambda: jobs.log(name))
        until(lambda n=number: jobs.status(name)["restarts"] == n + 1, lambda: jobs.log(name))
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", str(ROUNDS)), jobs.log(name)
    assert jobs.log(name).count("is requeued") == ROUNDS
    is_whole(jobs, name, images)


def test_ranks_that_hear_a_signal_unevenly_give_way_together(jobs: Jobs) -> None:
    """Every case, in two runs side by side: while one waits to start again, the other starts."""
    with ThreadPoolExecutor() as both:
        list(both.map(race, (jobs, jobs), (0, 1)))
