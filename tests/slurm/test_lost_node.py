"""The hard cases: a lost node, and ranks that do not receive a signal at the same moment."""

import functools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jobs import BATCH, Jobs, assert_complete, wait_until

pytestmark = pytest.mark.slurm

ROUNDS = int(os.environ.get("SLURM_ROUNDS", "1"))  # of each of two runs; two in CI
ENDLESS = 160_000


def trainers(jobs: Jobs, node: str, name: str) -> list[int]:
    """The processes of a run that train on a node, without their loader workers."""
    parents = {}
    for process in jobs.lab.processes(node):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        is_ours = b"python" in words[0] and f"name={name}".encode() in words
        if is_ours and stat[0] != "Z":
            parents[process] = int(stat[1])
    return [process for process, parent in parents.items() if parent not in parents]


def test_a_copy_that_outlives_its_node_writes_nothing_more(jobs: Jobs) -> None:
    """A node's slurmd dies, its job lives on, and SLURM starts the job again on another node. The
    first copy is stopped meanwhile and continues late, as on a machine that was frozen."""
    job = jobs.train("callbacks.checkpoint.every=64", name="lost", images=ENDLESS)
    images = jobs.wait_for_training("lost", after=64)
    node = jobs.fields(job)["NodeList"]
    jobs.lab.lose_node(node)
    try:
        jobs.wait_for_training("lost", after=images + 64)  # it trains on, and saves
        (first,) = trainers(jobs, node, "lost")
        os.kill(first, signal.SIGSTOP)
        restarted = {"JobState": "RUNNING", "Restarts": "1"}
        fields = functools.partial(jobs.fields, job)
        wait_until(lambda: restarted.items() <= fields().items(), lambda: str(fields()), pause=0.3)
        assert jobs.fields(job)["NodeList"] != node
        assert trainers(jobs, node, "lost"), "the first copy is there, and SLURM cannot end it"
        wait_until(lambda: jobs.status("lost")["restarts"] == 1, lambda: jobs.log("lost"))
        os.kill(first, signal.SIGCONT)
        wait_until(lambda: not trainers(jobs, node, "lost"), lambda: "the first copy does not end")
        before = len(jobs.logged("lost"))
        wait_until(lambda: len(jobs.logged("lost")) > before + 20, lambda: jobs.log("lost"))
        rest = jobs.logged("lost")[before:]
        assert rest == list(range(rest[0], rest[-1] + 1, BATCH)), "only one copy wrote this"
        assert jobs.status("lost")["state"] == "running", "the first copy's error is not the run's"
    finally:
        jobs.lab.call("scancel", job)
        jobs.lab.start_node(node)


def race(jobs: Jobs, rank: int) -> None:
    """Alternately: both ranks are signalled while this one is stopped; only this one is signalled.
    Then to the end."""
    name, images = f"uneven-{rank}", 160 * (ROUNDS + 1)
    job = jobs.train("data.workers=1", name=name, images=images, nodes=2)
    for number in range(ROUNDS):
        jobs.wait_for_training(name, after=jobs.wait_for_training(name))
        wait_until(lambda: jobs.status(name)["state"] == "running", lambda: jobs.log(name))
        (process,) = trainers(jobs, jobs.lab.nodes[rank], name)
        if (number + rank) % 2:
            os.kill(process, signal.SIGUSR2)
        else:
            os.kill(process, signal.SIGSTOP)
            jobs.signal(job, "USR2")
            os.kill(process, signal.SIGCONT)
        wait_until(lambda: jobs.status(name)["state"] == "preempted", lambda: jobs.log(name))
        wait_until(lambda n=number: jobs.status(name)["restarts"] == n + 1, lambda: jobs.log(name))
    fields = jobs.wait_for_end(job, name)
    assert (fields["JobState"], fields["Restarts"]) == ("COMPLETED", str(ROUNDS)), jobs.log(name)
    assert jobs.log(name).count("asks to be requeued") == ROUNDS
    assert_complete(jobs, name, images)


def test_ranks_that_receive_a_signal_unevenly_stop_together(jobs: Jobs) -> None:
    """Every case, in two runs side by side: while one waits to start again, the other starts."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(race, (jobs, jobs), (0, 1)))
