"""Outside a cluster, one process trains in a run folder at a time."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from imagen_lit.run import lock

HOLD = (
    "import os, sys, time; from pathlib import Path; from imagen_lit.run import lock\n"
    "with lock.exclusive(Path(sys.argv[1])):\n"
    "    os.fork() or time.sleep(3600)  # a loader worker, which outlives a kill\n"
    "    print('held', flush=True); time.sleep(3600)\n"
)


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, process_group=0
    )
    try:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with (
            pytest.raises(
                RuntimeError,
                match=rf"process \(process {first.pid} on .+\) is training in .*Let it",
            ),
            lock.exclusive(tmp_path),
        ):
            pass
        first.kill()
        first.wait()
        with lock.exclusive(tmp_path):
            pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)


def test_runs_of_one_process_follow_each_other(tmp_path: Path) -> None:
    for _ in range(2):
        with lock.exclusive(tmp_path):
            time.sleep(0)


def test_the_other_ranks_of_a_job_do_not_take_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock.rank_zero_only, "rank", 1)
    with lock.exclusive(tmp_path):
        assert not list(tmp_path.iterdir())
