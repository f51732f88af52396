"""The worst that can happen: a node that is lost, and ranks that do not hear a signal alike."""

import os
import signal
from pathlib import Path

import pytest
from jobs import BATCH, Jobs, is_whole, until

pytestmark = pytest.mark.slurm

ROUNDS = int(os.environ.get("SLURM_ROUNDS", 1))
ENDLESS = 160_000


def trainers(jobs: Jobs, node: str) -> list[int]:
    """The processes on a node that train, not their loader's workers."""
    found = {}
    for process in jobs.lab.processes(node):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if b"imagen_lit.train" in words and b"python" in words[0] and stat[0] != "Z":
            found[process] = int(stat[1])
    return [process for process, parent in found.items() if parent not in found]


def test_a_copy_that_outlives_its_node_writes_nothing_more(jobs: Jobs) -> None:
    """A node's slurmd dies, its job lives on, and SLURM starts the job again on another node."""
    job = jobs.train("callbacks.checkpoint.every=64", name="lost", images=ENDLESS)
    jobs.learns("lost", after=64)
    node = jobs.said(job)["NodeList"]
    jobs.lab.lose_node(node)
    try:
        again = {"JobState": "RUNNING", "Restarts": "1"}
        until(lambda: again.items() <= jobs.said(job).items(), lambda: str(jobs.said(job)))
        assert jobs.said(job)["NodeList"] != node
        assert trainers(jobs, node), "the first copy trains on, and nobody there can end it"
        until(lambda: jobs.status("lost")["restarts"] == 1, lambda: jobs.log("lost"))
        until(lambda: not trainers(jobs, node), lambda: "the first copy does not end by itself")
        before = len(jobs.journal("lost"))
        until(lambda: len(jobs.journal("lost")) > before + 20, lambda: jobs.log("lost"))
        alone = jobs.journal("lost")[before:]
        assert alone == list(range(alone[0], alone[-1] + 1, BATCH)), "one hand has written this"
        assert jobs.status("lost")["state"] == "running", "the first copy's error is not the run's"
    finally:
        jobs.lab.call("scancel", job)
        jobs.lab.start_node(node)


@pytest.mark.timeout(300 + 120 * ROUNDS)
def test_ranks_that_hear_a_signal_unevenly_give_way_together(jobs: Jobs) -> None:
    """Round by round: both are told, while one stands still; only the first; only the second. Then
    to the end."""
    images = 640 * ROUNDS
    job = jobs.train("data.workers=1", name="uneven", images=images, nodes=2)
    for number in range(ROUNDS):
        jobs.learns("uneven", after=jobs.learns("uneven"))
        until(lambda: jobs.status("uneven")["state"] == "running", lambda: jobs.log("uneven"))
        (first,), (second,) = trainers(jobs, "n1"), trainers(jobs, "n2")
        match number % 4:
            case 0 | 1:
                late = (first, second)[number % 4]
                os.kill(late, signal.SIGSTOP)
                jobs.signal(job, "USR2")
                os.kill(late, signal.SIGCONT)
            case 2:
                os.kill(first, signal.SIGUSR2)
            case 3:
                os.kill(second, signal.SIGUSR2)
        until(lambda: jobs.status("uneven")["state"] == "preempted", lambda: jobs.log("uneven"))
        restarts = number + 1
        until(
            lambda restarts=restarts: jobs.status("uneven")["restarts"] == restarts,
            lambda: jobs.log("uneven"),
        )
    said = jobs.ends(job, "uneven")
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", str(ROUNDS)), jobs.log("uneven")
    assert jobs.log("uneven").count("is requeued") == ROUNDS
    is_whole(jobs, "uneven", images)
