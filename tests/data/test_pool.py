"""Work in other processes reads as if it were done in this one, whatever happens to them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_world import sample

from imagen_lit import complaint
from imagen_lit.data import pool, shard

WORKERS = (1, 2)

# Two workers write their process ids into a folder and go on for long.
LONG = """
import os, pathlib, sys, time
from functools import partial
from imagen_lit.data import pool

def work(folder, job):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    time.sleep(job)
    (pathlib.Path(folder) / f"done {job}").touch()

if __name__ == "__main__":
    list(pool.each(partial(work, sys.argv[1]), SECONDS, 2))
"""


def dies(job: int) -> int:
    if job:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def errs(job: str) -> int:
    return int(job)


@pytest.mark.parametrize("workers", WORKERS)
def test_answers_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert list(pool.each(errs, ["3", "1", "2"], workers)) == [3, 1, 2]


@pytest.mark.parametrize("workers", WORKERS)
def test_a_sentence_stays_one_and_a_bug_keeps_its_traceback(tmp_path: Path, workers: int) -> None:
    paths = [tmp_path / "set" / name for name in ("0.tar", "1.tar")]
    for path in paths:
        shard.write(path, [sample(0)])
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"1\.tar is cut short") as found:
        list(pool.each(shard.index, paths, workers))
    assert complaint.of(found.value, list) == str(found.value)
    with pytest.raises(ValueError, match="invalid literal") as bug:
        list(pool.each(errs, ["1", "x"], workers))
    assert complaint.of(bug.value, list) is None


@pytest.mark.parametrize("workers", ["abc", -1, None])
def test_a_number_of_workers_that_is_none_is_named(workers: Any) -> None:
    with pytest.raises(ValueError, match=f"workers={workers}: expected a whole number"):
        list(pool.each(errs, ["1", "2"], workers))


def test_a_worker_that_is_killed_is_told_in_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"was killed from outside.*workers=1") as found:
        list(pool.each(dies, [0, 1], 2))
    assert complaint.of(found.value, list) == str(found.value)


def begun(folder: Path, seconds: list[float]) -> tuple[subprocess.Popen, list[int]]:
    """A process whose two workers are at work, and their ids."""
    script = folder.parent / "script.py"
    script.write_text(LONG.replace("SECONDS", str(seconds)))
    folder.mkdir()
    asked = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: len(list(folder.iterdir())) >= 2)
    return asked, [int(file.name) for file in folder.iterdir()]


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_do_not_outlive_a_main_process_that_is_killed(tmp_path: Path) -> None:
    asked, workers = begun(tmp_path / "ids", [300.0, 301.0])
    asked.kill()
    asked.communicate()
    wait_for(lambda: not any(map(alive, workers)))


def test_after_ctrl_c_what_is_in_hand_is_finished_and_no_worker_complains(tmp_path: Path) -> None:
    asked, _ = begun(tmp_path / "ids", [1.5, 1.6, *[0.1] * 20])
    os.killpg(asked.pid, signal.SIGINT)
    _, said = asked.communicate(timeout=60)
    assert said.count("Traceback (most recent call last)") == 1 and "KeyboardInterrupt" in said
    done = {file.name for file in (tmp_path / "ids").glob("done *")}
    assert {"done 1.5", "done 1.6"} <= done and len(done) < 10
