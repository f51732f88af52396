"""The project's commands on a machine whose accelerator is the stand-in (stand_in.py)."""

import json
import subprocess
import tempfile
from pathlib import Path

import warm

UPDATE = "an update ends"  # its place among the reads

TRAINER = ["trainer.accelerator=lab", "+trainer.strategy=lab"]  # Lightning knows no more than names

SCRIPT = f"""
import json, os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import stand_in
from imagen_lit.cli import console
from imagen_lit.stage import ema
update = ema.update
def update_and_mark(*parts):
    update(*parts)
    stand_in.reads.append({UPDATE!r})
ema.update = update_and_mark
reads, *words = sys.argv[1:]
try:
    with stand_in.accelerator():
        console.run(words)
finally:
    with open(reads, "w") as file:
        json.dump(stand_in.reads, file)
"""


def run(
    command: str, *words: str, folder: Path, expect: int = 0
) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """Run a command in `folder`; where the host read from the accelerator, and what was printed."""
    with tempfile.TemporaryDirectory() as outputs:
        out, err, reads = (Path(outputs) / name for name in ("out", "err", "reads"))
        process = warm.script(SCRIPT, [str(reads), command, *words], folder, out, err)
        status = warm.wait(process)
        done = subprocess.CompletedProcess(
            [command, *words], status, out.read_text(), err.read_text()
        )
        assert done.returncode == expect, done.stderr[-3000:]
        return json.loads(reads.read_text()), done
