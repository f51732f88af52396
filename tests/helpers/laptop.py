"""The project's commands, run on a very small scale."""

import subprocess
import tempfile
from pathlib import Path

import warm

SMALL = [
    "network.channels=[16,32]",
    "network.blocks=[1,1]",
    "network.attention=[false,true]",
    "network.head_width=16",
    "data.batch_size=16",
    "trainer.val_check_interval=8",
    "logger=files",
]


def run(
    command: str, *words: str, folder: Path, expect: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run `python -m imagen_lit.<command> <words>` in `folder`; it must exit with `expect`."""
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs) / "out", Path(outputs) / "err"
        status = warm.wait(warm.command(command, list(words), folder, out, err))
        done = subprocess.CompletedProcess(
            [command, *words], status, out.read_text(), err.read_text()
        )
    assert done.returncode == expect, done.stderr[-3000:]
    return done
