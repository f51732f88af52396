"""A laptop's commands, on a very small scale."""

import subprocess
import tempfile
from pathlib import Path

import warm

SMALL = [
    "network.channels=[16,32]",
    "network.blocks=[1,1]",
    "network.head_width=16",
    "data.batch_size=16",
    "trainer.val_check_interval=8",
    "logger=files",
]


def run(door: str, *words: str, folder: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as told:
        out, err = Path(told) / "out", Path(told) / "err"
        code = warm.wait(warm.door(door, list(words), folder, out, err))
        done = subprocess.CompletedProcess([door, *words], code, out.read_text(), err.read_text())
    assert done.returncode == expect, done.stderr[-3000:]
    return done
