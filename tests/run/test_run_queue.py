"""A listing shows what SLURM knows of a job that could not say how it ended, and writes nothing."""

import json
import os
from pathlib import Path

import left_runs
import pytest

from imagen_lit import runs
from imagen_lit.run import lost_job, run_queue, run_search, status

# What scontrol answers about each job; it counts how often it was asked.
SCONTROL = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$*" in
  *config) echo "ClusterName = here" ;;
  *17) echo "JobId=17 JobState=NODE_FAIL RunTime=00:01:00" ;;
  *18) echo "JobId=18 JobState=CANCELLED RunTime=00:01:00" ;;
  *19) echo "JobId=19 JobState=RUNNING RunTime=00:01:00" ;;
  *20) echo "JobId=20 JobState=COMPLETING RunTime=00:01:00" ;;
  *) echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1 ;;
esac
"""
SILENT = """#!/bin/sh
echo "$*" >> {folder}/asked
echo "Unable to contact slurm controller (connect failure)" >&2
exit 1
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def install(folder: Path, script: str) -> None:
    (folder / "scontrol").write_text(script.format(folder=folder))
    (folder / "scontrol").chmod(0o755)


def states(root: Path) -> dict[str, str]:
    listing = run_search.search(root)
    return {run.name: str(run.state) for run in run_queue.corrected(listing.runs)}


def test_a_lost_job_is_not_shown_as_running(tmp_path: Path, programs: Path) -> None:
    install(programs, SCONTROL)
    root = tmp_path / "runs"
    for job in (17, 18, 19, 20, 21):
        state = "preempted" if job == 18 else "running"
        left_runs.leave(root, f"r{job}", {"state": state, "job": str(job), "cluster": "here"})
    left_runs.leave(root, "away", {"state": "running", "job": "17", "cluster": "there"})
    left_runs.leave(root, "done", {"state": "finished", "job": "21"})
    files = {path: path.read_bytes() for path in root.rglob("*.json")}
    assert states(root) == {
        "r17": "failed",
        "r18": "stopped",
        "r19": "running (job 19)",
        "r20": "running (job 20)",
        "r21": "stopped",
        "away": "running (job 17)",
        "done": "finished",
    }
    lines = "\n".join(runs.show(root, "", root / "index.html"))
    assert "SLURM ended job 17 (NODE_FAIL), which had no time to say more" in lines
    assert "SLURM no longer knows job 21, which had no time to say how it ended" in lines
    page = (root / "index.html").read_text()
    assert "NODE_FAIL" in page and "no longer knows job 21" in page
    assert {path: path.read_bytes() for path in files} == files


def test_a_listing_shows_the_state_that_the_next_start_writes(
    tmp_path: Path, programs: Path
) -> None:
    install(programs, SCONTROL)
    for job in (17, 18, 21):
        left_runs.leave(tmp_path, f"r{job}", {"state": "running", "job": str(job)})
    shown = states(tmp_path)
    assert shown == {name: status.settle(tmp_path / name)["state"] for name in shown}


@pytest.mark.parametrize("cluster", [{}, {"cluster": "here"}])
def test_slurm_that_does_not_answer_is_asked_once(
    tmp_path: Path, programs: Path, cluster: dict[str, str]
) -> None:
    install(programs, SILENT)
    for job in range(30, 35):
        left_runs.leave(tmp_path, f"r{job}", {"state": "running", "job": str(job)} | cluster)
    assert set(states(tmp_path).values()) == {f"running (job {job})" for job in range(30, 35)}
    assert len((programs / "asked").read_text().splitlines()) == 1


def test_no_words_of_a_file_become_an_option_of_slurm(tmp_path: Path, programs: Path) -> None:
    install(programs, SCONTROL)
    left_runs.leave(tmp_path, "mine", {"state": "running", "job": "--version"})
    assert states(tmp_path) == {"mine": "running (job --version)"}
    assert not (programs / "asked").exists()


def test_the_last_words_of_a_job_are_waited_for() -> None:
    assert lost_job.ending("COMPLETING") == {} == lost_job.ending("")
    assert json.dumps(lost_job.ending("BOOT_FAIL")).count("BOOT_FAIL") == 1
