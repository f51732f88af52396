"""A launcher on this machine does every cell that can be done, once, and says what it could not."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from imagen_lit.ablation import cell_log
from imagen_lit.ablation.cell import Cell
from imagen_lit.basics.errors import InputError
from imagen_lit.launcher.joblib import Joblib
from imagen_lit.launcher.serial import Serial


def work(cell: Cell) -> None:
    """Leave a line in the place that the cell names, and do what it says."""
    with open(cell.settings["place"], "a") as file:
        print(cell.name, os.getpid(), file=file)
    print(f"the work of {cell.name}")
    os.system("echo a child process")
    match cell.settings["act"]:
        case "fail":
            raise InputError("it cannot be done. Choose another.")
        case "bug":
            raise KeyError("a bug")
        case "exit":
            raise SystemExit("error: it ended itself")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            time.sleep(0.5)
        case "threads":
            import torch

            print(f"{torch.get_num_threads()} threads")


def cell(place: Path, name: str, act: str = "", needs: Sequence[str] = ()) -> Cell:
    return Cell("train", {"act": act, "place": str(place / "order")}, name, tuple(needs))


def order(place: Path) -> list[str]:
    return [line.split()[0] for line in (place / "order").read_text().splitlines()]


def log(place: Path, name: str) -> str:
    return cell_log.path(place, name).read_text()


def test_a_failure_stops_nothing_but_what_needs_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = [
        cell(tmp_path, "first"),
        cell(tmp_path, "refused", "fail", ["first"]),
        cell(tmp_path, "killed", "die", ["first"]),
        cell(tmp_path, "bug", "bug"),
        cell(tmp_path, "ended", "exit"),
        cell(tmp_path, "behind", "", ["first", "refused"]),
        cell(tmp_path, "far/behind", "", ["behind"]),
        cell(tmp_path, "last", "", ["first"]),
    ]
    Serial().launch(cells, work, str(tmp_path), "mine")
    assert order(tmp_path) == ["first", "refused", "killed", "bug", "ended", "last"]
    printed = capfd.readouterr().out
    assert "[2/8] failed: it cannot be done. Choose another." in printed
    assert "perhaps because the machine ran out of memory" in printed
    assert "the work of" not in printed and "child process" not in printed, "that is in the logs"
    assert "[7/8] left out" in printed and max(map(len, printed.splitlines())) < 140
    assert "the work of first\na child process\n--- done" in log(tmp_path, "first")
    assert "Traceback" in log(tmp_path, "bug") and "Traceback" not in log(tmp_path, "refused")
    reasons = {each.name: cell_log.failure(tmp_path, each.name) for each in cells}
    assert reasons["bug"] == "KeyError: 'a bug'" and "out of memory" in reasons["killed"]
    assert not any(reasons[name] for name in ("first", "behind", "far/behind", "last"))
    workers = {line.split()[1] for line in (tmp_path / "order").read_text().splitlines()}
    assert len(workers) == 2, "one process does all, until it is killed"


@pytest.mark.parametrize("asked", [None, "1"])
def test_workers_share_the_processors_unless_the_user_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    processors = len(os.sched_getaffinity(0))
    for jobs in (1, processors):
        Joblib(jobs).launch([cell(tmp_path, f"of_{jobs}", "threads")], work, str(tmp_path), "mine")
        expected = asked or processors // jobs
        assert f"{expected} threads" in log(tmp_path, f"of_{jobs}")


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    for act in ("fail", ""):
        Serial().launch([cell(tmp_path, "one", act)], work, str(tmp_path), "mine")
    assert log(tmp_path, "one").count(cell_log.BEGUN) == 2
    assert cell_log.failure(tmp_path, "one") == "", "the last start counts"


def test_several_workers_keep_the_order_of_needs(tmp_path: Path) -> None:
    cells = [cell(tmp_path, "a", "wait"), cell(tmp_path, "b", "wait")]
    cells += [cell(tmp_path, "of_a", "", ["a"]), cell(tmp_path, "of_both", "", ["a", "b"])]
    Joblib(2).launch(cells, work, str(tmp_path), "mine")
    done = order(tmp_path)
    assert sorted(done[:2]) == ["a", "b"] and sorted(done[2:]) == ["of_a", "of_both"]
    workers = {line.split()[1] for line in (tmp_path / "order").read_text().splitlines()}
    assert len(workers) == 2


def test_a_number_of_workers_is_checked() -> None:
    with pytest.raises(InputError, match=r"launcher\.n_jobs=0"):
        Joblib(0)
