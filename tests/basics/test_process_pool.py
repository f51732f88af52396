"""Work in other processes looks as if it were done in this one, whatever happens to them."""

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

from imagen_lit.basics import process_pool
from imagen_lit.cli import user_error
from imagen_lit.data.shard_files import shard, shard_index

WORKERS = (1, 2)

# Two workers write their process ids into a folder and then run for long.
LONG = """
import os, pathlib, sys, time
from functools import partial
from imagen_lit.basics import process_pool
from imagen_lit.basics.atomic import atomic_write

def work(folder, job):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    with atomic_write(pathlib.Path(folder).parent / "half" / f"{job}"):
        time.sleep(job)
    (pathlib.Path(folder) / f"done {job}").touch()

if __name__ == "__main__":
    list(process_pool.map_jobs(partial(work, sys.argv[1]), SECONDS, 2))
"""


def die(job: int) -> int:
    if job:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def parse(job: str) -> int:
    return int(job)


@pytest.mark.parametrize("workers", WORKERS)
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert list(process_pool.map_jobs(parse, ["3", "1", "2"], workers)) == [3, 1, 2]


@pytest.mark.parametrize("workers", WORKERS)
def test_an_input_error_stays_a_sentence_and_a_bug_keeps_its_traceback(
    tmp_path: Path, workers: int
) -> None:
    paths = [tmp_path / "set" / name for name in ("0.tar", "1.tar")]
    for path in paths:
        shard.write(path, [sample(0)])
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"1\.tar is cut short") as error:
        list(process_pool.map_jobs(shard_index.index, paths, workers))
    assert user_error.sentence(error.value, list) == str(error.value)
    with pytest.raises(ValueError, match="invalid literal") as bug:
        list(process_pool.map_jobs(parse, ["1", "x"], workers))
    assert user_error.sentence(bug.value, list) is None


@pytest.mark.parametrize("workers", ["abc", -1, None])
def test_workers_that_are_not_a_whole_number_are_named(workers: Any) -> None:
    with pytest.raises(ValueError, match=f"workers={workers!r} is not a whole number"):
        list(process_pool.map_jobs(parse, ["1", "2"], workers))


def test_a_killed_worker_is_reported_in_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"was killed from outside.*workers=1") as error:
        list(process_pool.map_jobs(die, [0, 1], 2))
    assert user_error.sentence(error.value, list) == str(error.value)


def start(folder: Path, seconds: list[float]) -> tuple[subprocess.Popen, list[int]]:
    """A process whose two workers are at work, and their ids."""
    script = folder.parent / "script.py"
    script.write_text(LONG.replace("SECONDS", str(seconds)))
    folder.mkdir()
    main = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: len([*folder.iterdir(), *folder.parent.glob("half/.*")]) >= 4)
    return main, [int(file.name) for file in folder.iterdir()]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_do_not_outlive_a_main_process_that_is_killed(tmp_path: Path) -> None:
    main, workers = start(tmp_path / "ids", [300.0, 301.0])
    main.kill()
    main.communicate()
    wait_for(lambda: not any(map(is_alive, workers)))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_workers_at_once_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    main, workers = start(tmp_path / "ids", [300.0, 301.0, *[0.1] * 20])
    begun = time.monotonic()
    os.killpg(main.pid, signal.Signals[name])
    _, stderr = main.communicate(timeout=60)
    assert time.monotonic() - begun < 60 and not any(map(is_alive, workers))
    assert stderr.count("Traceback (most recent call last)") == (name == "SIGINT")
    assert "leaked" not in stderr and "worker process" not in stderr
    assert not list((tmp_path / "half").iterdir()) and len(list((tmp_path / "ids").iterdir())) == 2


def test_the_end_of_the_command_ends_workers_too(tmp_path: Path) -> None:
    """Where Ctrl-C arrives between two results, outside of the pool."""
    begun = time.monotonic()
    results = process_pool.map_jobs(time.sleep, [0.0, 300.0, 300.0, 300.0], 2)
    next(results)
    process_pool.end_workers()
    results.close()
    assert time.monotonic() - begun < 30
