"""Outside a cluster, one process trains in a run folder at a time."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagen_lit import owner

HOLD = (
    "import os, sys, time; from pathlib import Path; from imagen_lit import owner\n"
    "with owner.alone(Path(sys.argv[1])):\n"
    "    os.fork() or time.sleep(3600)  # a loader worker, which outlives a kill\n"
    "    print('held', flush=True); time.sleep(3600)\n"
)


def test_a_second_process_is_refused_until_the_first_has_ended_however(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, process_group=0
    )
    try:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with (
            pytest.raises(RuntimeError, match="another process is training"),
            owner.alone(tmp_path),
        ):
            pass
        first.kill()
        first.wait()
        with owner.alone(tmp_path):
            pass
    finally:
        subprocess.run(["kill", f"-{signal.SIGKILL:d}", f"-{first.pid}"], check=False)


def test_runs_of_one_process_follow_each_other(tmp_path: Path) -> None:
    for _ in range(2):
        with owner.alone(tmp_path):
            time.sleep(0)


def test_the_other_ranks_of_a_job_do_not_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner.rank_zero_only, "rank", 1)
    with owner.alone(tmp_path):
        assert not list(tmp_path.iterdir())
