"""A laptop's commands, on a very small scale."""

import subprocess
import sys
from pathlib import Path

SMALL = [
    "network.channels=[16,32,32]",
    "network.blocks=[1,1,1]",
    "network.head_width=16",
    "data.batch_size=16",
    "trainer.val_check_interval=8",
]


def run(door: str, *words: str, folder: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", f"imagen_lit.{door}", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == expect, done.stderr[-3000:]
    return done
