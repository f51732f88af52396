"""`make demo` with hardly any time: every step happens, and a second start reuses it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

from imagen_lit import door

WORDS = ["minutes=0.1", "scenes=300", "prompts=4", "documents=64", "weights=[1,3]"]


def typed(line: str) -> list[str]:
    return shlex.split(line, comments=True)


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
    first = demo(tmp_path)
    commands = re.findall(r"^   python -m imagen_lit\.(.+)", first.stdout, re.MULTILINE)
    doors = [name for name, *words in map(typed, commands) if door.compose(name, words)]
    assert (
        doors == "pretrain_text build_shards embed_text train train train evaluate sample".split()
    )
    for number, each in enumerate(doors):
        if each in ("evaluate", "sample"):
            _, *words = typed(commands[number])
            out = tmp_path / door.compose(each, words).out
            assert list(out.rglob("*.png")), "the command names the folder that the step filled"
    home = tmp_path / "runs/demo"
    page = (home / "index.html").read_text()
    shown = re.findall(r'<img src="([^"]+)"', page)
    assert len(shown) == 4 * 3 + 2 * 2, "four prompts at three sizes, two weights, two thresholds"
    assert all((home / address).is_file() for address in shown)
    assert "://" not in re.sub(
        r'xmlns(:\w+)?="[^"]+"|<!--.*?-->|"http://(www\.w3|purl)\.org/[^"]*"', "", page
    )
    sizes = {Image.open(home / a).size[0] for a in shown}
    assert sizes == {16, 64, 256}
    scores = json.loads((home / "evaluation/scores.json").read_text())
    assert scores["score/alignment"]["sr2"]["all"]["n"] == 4

    states = {p: p.stat().st_mtime_ns for p in home.rglob("*.ckpt")}
    drawn = {p: p.stat().st_mtime_ns for p in (home / "evaluation/pictures").rglob("*.png")}
    drawn |= {p: p.stat().st_mtime_ns for p in (home / "guidance").rglob("*.png")}
    kept = json.loads((home / "plan.json").read_text())
    again = demo(tmp_path)
    assert (
        again.stdout.count("already there") == len(doors)
        and again.stdout.count("already trained") == 3
    )
    assert states and states == {p: p.stat().st_mtime_ns for p in states}
    assert drawn == {p: p.stat().st_mtime_ns for p in drawn}
    plan = json.loads((home / "plan.json").read_text())
    assert plan["seconds"] == kept["seconds"], "what is there keeps the time that it took"
    assert len(plan["starts"]) == 2 and plan["starts"][0] == kept["starts"][0]
    assert sum(plan["starts"]) > sum(plan["seconds"].values())
    assert f"in all:      {sum(plan['starts']) / 60:.1f} min of 0.1" in again.stdout
