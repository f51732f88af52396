"""`make demo` with hardly any time: every step happens, and a second start reuses it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

WORDS = ["minutes=0.1", "scenes=300", "prompts=4", "documents=64", "weights=[1,3]"]


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "imagen_lit.demo", *WORDS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_demo_leaves_a_page_whose_pictures_exist_and_is_not_made_twice(tmp_path: Path) -> None:
    demo(tmp_path)
    home = tmp_path / "runs/demo"
    page = (home / "index.html").read_text()
    shown = re.findall(r'<img src="([^"]+)"', page)
    assert len(shown) == 4 * 3 + 2 * 2, "four prompts at three sizes, two weights, two thresholds"
    assert all((home / address).is_file() for address in shown)
    assert "://" not in re.sub(r'xmlns(:\w+)?="[^"]+"|<!--.*?-->|"http[^"]*"', "", page)
    sizes = {Image.open(home / a).size[0] for a in shown}
    assert sizes == {16, 64, 256}
    scores = json.loads((home / "evaluation/scores.json").read_text())
    assert scores["score/alignment"]["sr2"]["all"]["n"] == 4

    states = {p: p.stat().st_mtime_ns for p in home.rglob("*.ckpt")}
    drawn = {p: p.stat().st_mtime_ns for p in (home / "evaluation/pictures").rglob("*.png")}
    again = demo(tmp_path)
    assert "already there" in again.stdout and again.stdout.count("already trained") == 3
    assert states and states == {p: p.stat().st_mtime_ns for p in states}
    assert drawn == {p: p.stat().st_mtime_ns for p in drawn}
