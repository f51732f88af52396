"""Cells as jobs of SLURM's, where no SLURM is: what is asked for, recorded, refused, left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagen_lit import ablate
from imagen_lit.ablation import cell_log, ledger, submitted_jobs
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.ledger import Entry
from imagen_lit.basics.errors import InputError
from imagen_lit.launcher import cell_job, slurm_answer
from imagen_lit.launcher.job_request import job_request
from imagen_lit.run import queue, sbatch_advice
from imagen_lit.run.sbatch_advice import Node

OWN = {"ablation": "mine", "scale": "demo"}
Say = Callable[..., None]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Put a queue of these jobs in SLURM's place; no jobs: one that does not answer."""

    def say(**states: str) -> None:
        rows = [f"{job.removeprefix('job')}|{s}|0|n1|None|" for job, s in states.items()]

        def ask(*words: str) -> str | None:
            if words[0] == "scontrol":
                return "JobState=COMPLETING RunTime=00:01:00"
            return "\n".join(rows) if states else None

        monkeypatch.setattr(queue, "ask", ask)

    return say


def test_a_training_asks_for_its_trainer_and_others_for_one_task() -> None:
    trainer = {"trainer": "ddp", "trainer.num_nodes": 2, "trainer.devices": 4, "seed": 1}
    training = job_request(Cell("train", trainer, "a"), {"partition": "gpu"}, 1)
    wanted = {"nodes": 2, "tasks_per_node": 4, "gpus_per_node": 4, "partition": "gpu"}
    assert wanted.items() <= training.items()
    assert training["additional_parameters"] == {"requeue": True}
    drawing = job_request(Cell("evaluate", {"name": "b"}, "b"), {}, 3)
    assert (drawing["nodes"], drawing["tasks_per_node"], drawing["gpus_per_node"]) == (1, 3, 3)
    on_cpu = job_request(Cell("evaluate", {"device": "cpu"}, "b"), {}, 1)
    shards = job_request(Cell("build_shards", {"workers": 2}, "c"), {}, 1)
    for each in (on_cpu, shards):
        assert (each["tasks_per_node"], each["gpus_per_node"], each["mem_gb"]) == (1, None, None)


def test_jobs_are_known_by_their_cells_until_they_leave_the_queue(tmp_path: Path, say: Say) -> None:
    file = tmp_path / submitted_jobs.FILE
    file.parent.mkdir()
    file.write_text('{"cell": "x", "jo')  # a kill has cut it
    for cell, job in (("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")):
        submitted_jobs.append(tmp_path, cell, job, OWN)
    assert submitted_jobs.jobs(tmp_path) == {"a": "4", "b": "2", "c": "3"}
    say(job2="PENDING", job3="COMPLETING", job4="RUNNING")
    assert submitted_jobs.in_queue(tmp_path) == {"a": "4", "b": "2"}, "3 ends for good"
    assert submitted_jobs.states(tmp_path)["b"][0] == "queued"
    assert not submitted_jobs.is_silent(tmp_path)
    say()
    assert submitted_jobs.in_queue(tmp_path) is None and submitted_jobs.is_silent(tmp_path)


def test_only_jobs_of_this_ablation_alone_are_left_over(tmp_path: Path, say: Say) -> None:
    for cell, job, owner in (
        ("stays", "1", OWN),
        ("gone", "2", OWN),
        ("shared", "3", OWN),
        ("shared", "3", OWN | {"ablation": "other"}),
        ("theirs", "4", OWN | {"scale": "paper"}),
    ):
        submitted_jobs.append(tmp_path, cell, job, owner | {"cluster": "lab"})
    say(**{f"job{number}": "PENDING" for number in range(1, 5)})
    assert submitted_jobs.left(tmp_path, OWN, {"stays"}) == {"gone": "2"}


def test_what_is_in_the_queue_is_waited_for_with_what_needs_it() -> None:
    train, draw = Cell("train", {}, "t"), Cell("evaluate", {}, "d", ("t",))
    by_hand = Cell("train", {}, "h")
    entries = {
        "t": Entry(train, ledger.RUNNING),
        "d": Entry(draw, ledger.MISSING, "waits for t"),
        "h": Entry(by_hand, ledger.RUNNING),
    }
    assert ablate.to_do(entries, ledger.MISSING) == []
    assert ablate.to_do(entries, ledger.MISSING, {"t": "7"}) == [train, draw]


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, say: Say) -> Path:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_PROCID", "0")
    say(job7="RUNNING")
    submitted_jobs.append(tmp_path, "encoder", "7", OWN)
    return tmp_path


def encoder(folder: Path, needs: tuple[str, ...] = ()) -> Cell:
    return Cell("pretrain_text", {}, "encoder", needs)


def test_a_job_does_its_cell_or_says_why_it_failed(in_job: Path) -> None:
    done: list[Cell] = []
    cell = encoder(in_job)
    assert cell_job.do(done.append, cell, [], str(in_job)) == "" and done == [cell]
    assert cell_log.failure(in_job, cell.name) == ""

    def refuse(_: Cell) -> None:
        raise InputError("there is no such file. Add it.")

    with pytest.raises(InputError):
        cell_job.do(refuse, cell, [], str(in_job))
    assert cell_log.failure(in_job, cell.name) == "there is no such file. Add it."


def test_a_job_leaves_out_what_is_not_its_own(in_job: Path) -> None:
    def work(_: Cell) -> Any:
        raise AssertionError("it does nothing")

    other = Cell("pretrain_text", {}, "unrecorded")
    monkey = Cell("pretrain_text", {}, "encoder")
    submitted_jobs.append(in_job, "encoder", "8", OWN)
    assert "job 8 was submitted" in cell_job.do(work, monkey, [], str(in_job), patience=0)
    (in_job / submitted_jobs.FILE).unlink()
    assert "no driver has recorded job 7" in cell_job.do(work, other, [], str(in_job), patience=0)


def test_a_job_whose_need_failed_ends_with_a_sentence(in_job: Path) -> None:
    folder = in_job / "runs/t"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"state": "failed", "error": "no memory"}))
    runs, need = in_job / "runs", Cell("train", {"stage.images": 16}, "t")
    submitted_jobs.append(runs, "encoder", "7", OWN)
    cell = encoder(in_job, ("t",))
    assert cell_job.do(print, cell, [need], str(runs)) == "it waits for t, which failed"
    assert "left out: it waits for t, which failed" in cell_log.path(runs, "encoder").read_text()
    assert cell_log.failure(runs, "encoder") == "", "it has not failed itself"


def test_what_no_node_can_do_is_refused_before_anything_is_submitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = job_request(Cell("evaluate", {}, "b"), {"partition": "nix"}, 1)
    monkeypatch.setattr(sbatch_advice, "nodes", lambda: [])
    with pytest.raises(InputError, match=r"does not answer on this machine.*launcher=serial"):
        slurm_answer.require([request])
    node = Node("main", 2, 4000, 0, "infinite")
    monkeypatch.setattr(sbatch_advice, "nodes", lambda: [node])
    with pytest.raises(InputError, match=r"no partition nix. Set launcher.partition=<one of main>"):
        slurm_answer.require([request])
    sentence = slurm_answer.refusal("Requested node configuration is not available", request)
    assert "Set launcher.mem_gb=3 launcher.gpus_per_node=null." in sentence
