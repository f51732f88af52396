"""attempts.jsonl: nothing is erased, a cut line costs itself alone, and one process writes."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.run import attempt_log, code_digest, energy
from imagen_lit.run.attempt_log import FAILED, FILE, FINISHED, AttemptLog


def record(folder: Path, state: str = FINISHED, **facts: Any) -> None:
    log = AttemptLog(folder)
    log.begin()
    log.end(state, **facts)


def test_every_start_and_end_is_kept(tmp_path: Path) -> None:
    record(tmp_path, FAILED, error="why")
    first = (tmp_path / FILE).read_bytes()
    record(tmp_path, images=64)
    assert (tmp_path / FILE).read_bytes().startswith(first), "the end is appended"
    failed, finished = attempt_log.read(tmp_path)
    assert (failed.state, failed.end["error"]) == (FAILED, "why")
    assert (finished.state, finished.end["images"]) == (FINISHED, 64)
    assert finished.start["pid"] == os.getpid()
    assert finished.start["code"] == code_digest.code_digest()
    assert "torch" in finished.start["versions"]
    assert attempt_log.finishing([failed, finished, failed]) == finished


def test_what_does_not_begin_leaves_nothing(tmp_path: Path) -> None:
    AttemptLog(tmp_path / "run").end(FAILED, "refused")
    assert not (tmp_path / "run").exists() and attempt_log.read(tmp_path / "run") == []


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_a_kill_has_cut_costs_itself_alone(tmp_path: Path, cut: int) -> None:
    record(tmp_path)
    log = AttemptLog(tmp_path)
    log.begin()
    log._file.close()  # type: ignore[union-attr]  # as a kill does
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:-cut])
    before = attempt_log.read(tmp_path)
    assert before[0].state == FINISHED and not any(each.state for each in before[1:])
    record(tmp_path, images=1)
    *_, last = attempt_log.read(tmp_path)
    assert last.state == FINISHED and last.end["images"] == 1


@pytest.mark.parametrize(
    "text", ["", "[1]\n", '{"event": "end"}\n', "\x00\xff\n", '{"event": 7}\n']
)
def test_what_is_no_record_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert attempt_log.read(tmp_path) == []


def _hold(folder: Path, ready: Any) -> None:
    log = AttemptLog(folder)
    log.begin()
    ready.send(log.has_begun)
    signal.pause()


def test_of_two_processes_one_writes(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(target=_hold, args=(tmp_path, theirs))
    other.start()
    try:
        assert ours.recv() and attempt_log.is_running(tmp_path)
        record(tmp_path)
        assert len(attempt_log.read(tmp_path)) == 1, "the second keeps silent"
    finally:
        other.kill()
        other.join()
    (killed,) = attempt_log.read(tmp_path)
    assert killed.state == "" and not attempt_log.is_running(tmp_path)


def test_a_line_is_what_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(attempt_log.__file__).parents[1]
    for program in ("imagen_lit.train", str(package / "train.py")):
        monkeypatch.setattr("sys.argv", [program, "name=a b"])
        assert attempt_log.command_line() == "python -m imagen_lit.train 'name=a b'"


def test_joules_are_counted_where_the_kernel_counts_them(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("10000000000")
    (zone / "energy_uj").write_text("9999000000")
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of it, counted already
    meter = energy.EnergyMeter(tmp_path)
    (zone / "energy_uj").write_text("3599000000")  # it has begun anew
    measured = meter.kwh()
    assert measured is not None and measured >= 3600 / 3.6e6 - 1e-9
    if not any(energy._gpus()):
        assert measured == pytest.approx(1e-3), "3,600 joules"
        assert energy.EnergyMeter(tmp_path / "none").kwh() is None


def test_the_digest_of_the_code_changes_with_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "conf").mkdir()
    file = tmp_path / "package/a.py"
    monkeypatch.setattr("imagen_lit.cli.assets.PACKAGE", tmp_path / "package")
    monkeypatch.setattr("imagen_lit.cli.assets.conf", lambda: str(tmp_path / "conf"))
    digests = set()
    for text in ("a = 1\n", "a = 2\n"):
        file.write_text(text)
        digests.add(code_digest.code_digest.__wrapped__())
    (tmp_path / "conf/a.yaml").write_text("a: 1\n")
    digests.add(code_digest.code_digest.__wrapped__())
    file.rename(tmp_path / "package/b.py")
    digests.add(code_digest.code_digest.__wrapped__())
    assert len(digests) == 4 and all(len(each) == 12 for each in digests)
