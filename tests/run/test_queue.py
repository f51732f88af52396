"""What SLURM answers, from its commands' own words as they were seen on a cluster."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagen_lit.run import queue
from imagen_lit.run.queue import Entry

Command = Callable[..., None]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Put a command on PATH that prints some words, on stderr if it fails."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(name: str, words: str, code: int = 0) -> None:
        (tmp_path / f"{name}.txt").write_text(words)
        script = tmp_path / name
        out = ">&2" if code else ""
        script.write_text(f"#!/bin/sh\ncat {tmp_path}/{name}.txt {out}\nexit {code}\n")
        script.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ("JobState=RUNNING RunTime=00:00:03 PreemptTime=2026-11-29T01:11:43", ""),
        ("JobState=PENDING RunTime=00:00:00", ""),
        ("JobState=COMPLETING RunTime=00:00:00 EndTime=2026-11-29T02:11:56", ""),  # queued again
        ("JobState=COMPLETING RunTime=00:00:02 EndTime=2026-11-29T01:11:35", "COMPLETING"),
        ("JobState=CANCELLED RunTime=00:00:02", "CANCELLED"),
        ("JobState=OUT_OF_MEMORY RunTime=01:00:02", "OUT_OF_MEMORY"),
    ],
)
def test_a_cancelled_job_is_told_from_one_that_returns(
    command: Command, fields: str, end: str
) -> None:
    command("scontrol", f"JobId=17 ArrayJobId=17 JobName=train {fields} Partition=main")
    assert queue.end("17") == end


def test_a_job_that_slurm_no_longer_knows_is_gone(command: Command) -> None:
    for name in ("scontrol", "squeue"):
        command(name, "slurm_load_jobs error: Invalid job id specified", code=1)
    assert queue.end("17") == queue.GONE and queue.entries("17") == {}


def test_where_slurm_does_not_answer_nothing_is_said(command: Command) -> None:
    for name in ("scontrol", "squeue", "sinfo"):
        command(name, "Unable to contact slurm controller (connect failure)", code=1)
    assert queue.end("17") is None and queue.entries("17") is None and queue.cluster() is None


def test_a_table_of_the_queue_is_read(command: Command) -> None:
    command(
        "squeue", "17_1|PENDING|1||ReqNodeNotAvail, May be reserved|\n17_0|RUNNING|0|n[1-2]|None|\n"
    )
    assert queue.entries("17") == {
        "17_1": Entry("PENDING", 1, "", "ReqNodeNotAvail, May be reserved"),
        "17_0": Entry("RUNNING", 0, "n[1-2]", "None"),
    }


def test_the_cluster_is_named(command: Command) -> None:
    command("scontrol", "CheckpointType = none\nClusterName             = lab\nX = 1\n")
    assert queue.cluster() == "lab"
