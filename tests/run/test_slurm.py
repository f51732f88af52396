"""What SLURM says, as functions of an environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from imagen_lit.run import lock, slurm, status
from imagen_lit.run.requeue import requeue

TASK = {"SLURM_JOB_ID": "17", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "1"}
MEMBER = TASK | {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "5"}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scontrol that records its arguments and answers with `answer`, if there is one."""
    script = tmp_path / "bin" / "scontrol"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        f"[ -e {tmp_path}/answer ] || exit 0\ncat {tmp_path}/answer >&2; exit 1\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return tmp_path


def be(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str], restarts: int = 0) -> None:
    for name, value in (dict(env) | {"SLURM_RESTART_COUNT": str(restarts)}).items():
        monkeypatch.setenv(name, value)


def test_a_process_is_in_a_job_only_as_one_of_its_tasks() -> None:
    assert slurm.in_job(TASK)
    assert not slurm.in_job({})
    assert not slurm.in_job({"SLURM_JOB_ID": "17"}), "the shell of salloc"
    assert not slurm.in_job(TASK | {"SLURM_JOB_NAME": "interactive"})
    assert slurm.in_job(TASK | {"SLURM_JOB_NAME": "bash", "SLURM_NTASKS": "2"})


def test_a_member_of_an_array_is_named_by_array_and_task() -> None:
    assert slurm.job_id(TASK) == "17"
    assert slurm.job_id(MEMBER) == "12_5"
    assert slurm.restarts(TASK) == 0 and slurm.restarts({"SLURM_RESTART_COUNT": "3"}) == 3


@pytest.mark.parametrize(
    ("env", "world_size", "advice"),
    [
        ({"SLURM_NTASKS": "2", "SLURM_NNODES": "2"}, 1, "num_nodes=2 trainer.devices=1"),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, 2, "num_nodes=2 trainer.devices=4"),
        ({"SLURM_NTASKS": "3", "SLURM_NNODES": "2"}, 2, "--ntasks-per-node"),
    ],
)
def test_another_number_of_processes_is_refused(
    env: dict[str, str], world_size: int, advice: str
) -> None:
    with pytest.raises(ValueError, match=advice):
        slurm.check_world_size(world_size, TASK | env)
    slurm.check_world_size(int(env["SLURM_NTASKS"]), TASK | env)


def test_many_tasks_without_srun_are_refused() -> None:
    alone = {"SLURM_JOB_ID": "17", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}
    with pytest.raises(ValueError, match=r"without srun\. Type srun"):
        slurm.check_world_size(2, alone)


@pytest.mark.parametrize(
    ("answer", "is_refused"),
    [
        (None, False),
        ("Job is pending execution for job 12_5", False),
        ("slurm_requeue error: Job/step already completing or completed", False),
        ("Requested operation is presently disabled for job 12_5", True),
        ("Unable to contact slurm controller (connect failure)", True),
    ],
)
def test_only_a_real_refusal_counts(scontrol: Path, answer: str | None, is_refused: bool) -> None:
    if answer is not None:
        (scontrol / "answer").write_text(answer)
    assert requeue(MEMBER) == (answer if is_refused else None)
    assert (scontrol / "calls").read_text() == "requeue 12_5\n"


def test_of_two_copies_of_a_job_the_newer_has_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, TASK, restarts=0)
    lock.take(tmp_path)
    lock.check(tmp_path)
    status.write(tmp_path, "running")
    be(monkeypatch, TASK, restarts=1)  # the second copy starts, and the first one lives on
    lock.take(tmp_path)
    status.write(tmp_path, "preempted")
    be(monkeypatch, TASK, restarts=0)
    for act in (lock.check, lock.take):
        with pytest.raises(RuntimeError, match="belongs to job 17, start 1"):
            act(tmp_path)
    status.write(tmp_path, "finished")
    assert status.read(tmp_path)["state"] == "preempted", "the first copy's word no longer counts"


def test_a_job_submitted_later_takes_the_folder_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be(monkeypatch, TASK, restarts=4)
    lock.take(tmp_path)
    be(monkeypatch, TASK | {"SLURM_JOB_ID": "18"})
    lock.take(tmp_path)
    lock.check(tmp_path)


def test_outside_slurm_a_folder_has_no_fence(tmp_path: Path) -> None:
    lock.take(tmp_path)
    lock.check(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "state"),
    [(None, "finished"), (ValueError("the sea"), "failed"), (KeyboardInterrupt(), "stopped")],
)
def test_the_status_says_how_it_ended(
    tmp_path: Path, error: BaseException | None, state: str
) -> None:
    try:
        with status.tracked(tmp_path, str):
            assert status.read(tmp_path) == {"state": "running"}
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        assert error is not None
    details = {"error": "the sea"} if state == "failed" else {}
    assert status.read(tmp_path) == {"state": state} | details


@pytest.mark.parametrize("state", ["running", "preempted"])
@pytest.mark.parametrize(
    ("end", "becomes"),
    [
        ("CANCELLED", {"state": "stopped"}),
        ("GONE", {"state": "stopped"}),
        ("NODE_FAIL", {"state": "failed", "error": "SLURM ended the job: NODE_FAIL"}),
        ("COMPLETING", {}),  # it may still have a last word
        ("", {}),  # in the queue
        (None, {}),  # SLURM does not answer
    ],
)
def test_a_job_that_could_not_say_how_it_ended_is_settled(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    end: str | None,
    becomes: dict[str, str],
) -> None:
    monkeypatch.setattr("imagen_lit.run.queue.end", lambda job: end)
    before = {"state": state, "job": "17", "restarts": 0, "host": "n1"}
    (tmp_path / status.FILE).write_text(json.dumps(before))
    if becomes:
        status.refuse_beside_a_job(tmp_path)
    else:
        with pytest.raises(RuntimeError, match=r"scancel 17; if it is already gone and SLURM"):
            status.refuse_beside_a_job(tmp_path)
    assert status.read(tmp_path) == before | becomes


def test_what_a_job_wrote_itself_in_the_meantime_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = {"state": "finished", "job": "17"}

    def end(job: str) -> str:
        (tmp_path / status.FILE).write_text(json.dumps(last))
        return "COMPLETED"

    monkeypatch.setattr("imagen_lit.run.queue.end", end)
    (tmp_path / status.FILE).write_text(json.dumps(last | {"state": "running"}))
    assert status.settle(tmp_path) == last


def test_the_job_of_another_cluster_is_not_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagen_lit.run.queue.end", lambda job: "GONE")
    monkeypatch.setattr("imagen_lit.run.queue.cluster", lambda: "here")
    for cluster, state in (("there", "running"), ("here", "stopped")):
        run = {"state": "running", "job": "17", "cluster": cluster}
        (tmp_path / status.FILE).write_text(json.dumps(run))
        assert status.settle(tmp_path)["state"] == state


def test_signals_during_imports_do_not_end_a_job(tmp_path: Path) -> None:
    early = Path(__file__).resolve().parents[2] / "slurm" / "early"
    (tmp_path / "sitecustomize.py").write_text("print('the hidden one')")
    program = "import os\nfor n in (10, 12, 15): os.kill(os.getpid(), n)\nprint('alive')"
    for job, code, lines in (
        ({"SLURM_JOB_ID": "17"}, 0, ["the hidden one", "alive"]),
        ({}, -signal.SIGUSR1, ["the hidden one"]),
    ):
        path = os.pathsep.join([str(early), str(tmp_path)])
        clean = {name: v for name, v in os.environ.items() if not name.startswith("SLURM_")}
        done = subprocess.run(
            [sys.executable, "-u", "-c", program],
            env=clean | job | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code and done.stdout.split("\n")[:-1] == lines, done.stderr
