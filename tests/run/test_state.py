"""The state of a run, as one who only looks at its folder can know it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from test_lock import HOLD

from imagen_lit.run import lock, state, status


def test_a_run_is_running_as_long_as_its_process_is(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"state": "running"}')
    assert state.current(tmp_path).word == "killed"
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    trainer = subprocess.Popen(words, stdout=subprocess.PIPE, process_group=0)
    try:
        assert trainer.stdout is not None and trainer.stdout.readline() == b"held\n"
        assert state.current(tmp_path).word == "running"
        with pytest.raises(RuntimeError, match="another process"), lock.exclusive(tmp_path):
            pass  # looking took nothing away
        trainer.kill()
        trainer.wait()
        assert state.current(tmp_path).word == "killed"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(trainer.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("content", "shown", "error"),
    [
        ({"state": "finished"}, "finished", ""),
        ({"state": "finished", "job": "12"}, "finished", ""),
        ({"state": "stopped"}, "stopped", ""),
        ({"state": "failed", "error": "no\n shards.\x1b[2J"}, "failed", "no shards.�[2J"),
        ({"state": "running", "job": "12"}, "running (job 12)", ""),
        ({"state": "preempted", "job": "12_3"}, "preempted (job 12_3)", ""),
        ({"state": "running", "job": None}, "killed", ""),
        ({"state": ["running"]}, "unknown", "status.json names no state"),
        (["running"], "unknown", "status.json cannot be read"),
    ],
)
def test_the_state_is_what_the_last_start_wrote(
    tmp_path: Path, content: Any, shown: str, error: str
) -> None:
    (tmp_path / "status.json").write_text(json.dumps(content))
    now = state.current(tmp_path)
    assert str(now) == shown and now.error.startswith(error) and bool(now.error) == bool(error)


def test_a_status_cut_short_is_unknown_and_without_one_a_run_has_not_started(
    tmp_path: Path,
) -> None:
    assert state.current(tmp_path).word == "not started"
    (tmp_path / "status.json").write_text('{"state": "run')
    assert state.current(tmp_path).word == "unknown"


def test_what_a_training_writes_is_what_is_looked_for(tmp_path: Path) -> None:
    for word in state.WORDS:
        status.write(tmp_path, word)
        assert state.current(tmp_path).word == ("killed" if word == "running" else word)
    with lock.exclusive(tmp_path):
        assert (tmp_path / state.LOCK).exists()
