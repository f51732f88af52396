"""What the driver of a sweep on SLURM prints: who is there, where the output is, who does what."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.run import sweep_watch
from imagen_lit.run.queue import Entry
from imagen_lit.run.sweep_watch import Member

WAITS, RUNS = Entry("PENDING", 0, "", "Resources"), Entry("RUNNING", 0, "n1", "None")
ENDS = Entry("COMPLETING", 0, "n1", "None")


def member(folder: Path, number: int) -> Member:
    log = Path(f"runs/.submitit/12_{number}/12_{number}_0_log.out")
    return Member(f"12_{number}", f"sweep/{number}", f"seed={number}", folder / str(number), log)


def advise(reason: str) -> str | None:
    return "Set hydra.launcher.mem_gb=3." if reason == "PartitionConfig" else None


@pytest.mark.parametrize(
    ("entry", "run", "words"),
    [
        (WAITS, {}, "waits: Resources"),
        (
            Entry("PENDING", 0, "", "PartitionConfig"),
            {},
            "waits: PartitionConfig, in vain. Type scancel 12 first. Set hydra.launcher.mem_gb=3.",
        ),
        (Entry("PENDING", 0, "", "None"), {}, "waits: SLURM has not looked at it yet"),
        (RUNS, {}, "starts on n1"),
        (RUNS, {"state": "running"}, "runs on n1"),
        (Entry("RUNNING", 2, "n1", "None"), {"state": "running"}, "runs on n1, restart 2"),
        (Entry("PENDING", 2, "", "BeginTime"), {}, "waits to start again (restart 2): BeginTime"),
        (RUNS, {"state": "finished"}, "finished, and its job ends"),
        (ENDS, {"state": "stopped"}, "stopped, and its job ends"),
        (ENDS, {}, "completing on n1"),
    ],
)
def test_a_line_says_what_a_member_does(entry: Entry, run: dict[str, Any], words: str) -> None:
    assert sweep_watch.doing(member(Path(), 0), entry, run, advise) == words


def test_a_preempted_member_is_said_to_have_saved() -> None:
    words = sweep_watch.doing(member(Path(), 0), RUNS, {"state": "preempted"}, advise)
    assert words == "has saved after a signal, and waits on n1 to be started again"


def test_the_status_of_an_earlier_start_says_nothing_of_this_one(tmp_path: Path) -> None:
    one = member(tmp_path, 0)
    one.folder.mkdir()
    (one.folder / "status.json").write_text('{"state": "preempted", "job": "12_0", "restarts": 0}')
    assert sweep_watch.own_status(one, RUNS)["state"] == "preempted"
    assert sweep_watch.own_status(one, Entry("RUNNING", 1, "n2", "None")) == {}


def test_each_change_is_one_line_and_a_job_without_a_result_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [member(tmp_path, number) for number in (0, 1)]
    for one in members:
        one.folder.mkdir()
        run = {"state": "running", "job": one.job, "restarts": 0}
        (one.folder / "status.json").write_text(json.dumps(run))
    looks: Iterator[Any] = iter(
        [
            {"12_0": RUNS, "12_1": WAITS},
            {"12_0": RUNS, "12_1": WAITS},
            None,  # SLURM does not answer
            {"12_1": RUNS},  # the first one has a result
            *([{}] * sweep_watch.MISSED),  # the second one is killed
        ]
    )
    seen = 0

    def entries(root: str) -> Any:
        nonlocal seen
        seen += 1
        return next(looks)

    monkeypatch.setattr("imagen_lit.run.queue.entries", entries)
    monkeypatch.setattr("imagen_lit.run.queue.end", lambda job: "OUT_OF_MEMORY")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    endings = sweep_watch.watch(
        members, lambda number: "finished" if number == 0 and seen > 3 else None, advise
    )
    killed = "failed: SLURM ended the job: OUT_OF_MEMORY"
    assert endings == ["finished", killed]
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    silent = "SLURM does not answer; still asking"
    assert lines == [
        "12_0 sweep/0: runs on n1",
        "12_1 sweep/1: waits: Resources",
        f"12_0 sweep/0: {silent}",
        f"12_1 sweep/1: {silent}",
        "12_0 sweep/0: finished",
        "12_1 sweep/1: runs on n1",
        f"12_1 sweep/1: {killed}",
    ]
    assert "2 runs: 1 finished, 1 failed" in sweep_watch.summary(members, endings)
    assert "1 run: 1 finished. It is in " in sweep_watch.summary(members[:1], endings[:1])


def test_the_introduction_says_where_output_is_and_how_to_cancel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [member(tmp_path, number) for number in (0, 1)]
    sweep_watch.introduce(members, [True, False])
    assert capsys.readouterr().out.splitlines() == [
        "job 12_0: sweep/0 (seed=0)",
        "    its output: runs/.submitit/12_0/12_0_0_log.{out,err}",
        "job 12_1: sweep/1 (seed=1), already in the queue",
        "    its output: runs/.submitit/12_1/12_1_0_log.{out,err}",
        "to end them: scancel 12",
    ]
    assert "scancel 12 ends them" in sweep_watch.interrupted(members)
