"""`make demo` with hardly any time: every step happens, a second start reuses it, and more time
replaces nothing."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

from imagen_lit.cli import config
from imagen_lit.run import run_folder

WORDS = ["scenes=300", "prompts=4", "documents=64", "guidance_weights=[1,3]"]
STAGES = ("base", "sr", "sr2")
COMMANDS = "pretrain_text build_shards embed_text train train train evaluate sample".split()


def split(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def demo(folder: Path, minutes: float = 0.1) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "imagen_lit.demo", f"minutes={minutes}", *WORDS],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_the_demo_leaves_a_complete_page_and_is_not_made_twice(tmp_path: Path) -> None:
    first = demo(tmp_path)
    lines = re.findall(r"^   python -m imagen_lit\.(.+)", first.stdout, re.MULTILINE)
    commands = [name for name, *words in map(split, lines) if config.compose(name, words)]
    assert commands == COMMANDS
    for line, name in zip(lines, commands, strict=True):
        if name in ("evaluate", "sample"):
            _, *words = split(line)
            out = tmp_path / config.compose(name, words).out
            assert list(out.rglob("*.png")), "the command names the folder that the step filled"
    home = tmp_path / "runs/demo"
    page = (home / "index.html").read_text()
    images = re.findall(r'<img src="([^"]+)"', page)
    assert len(images) == 4 * 3 + 2 * 2, "four prompts at three sizes, two weights, two thresholds"
    assert all((home / address).is_file() for address in images)
    assert "://" not in re.sub(
        r'xmlns(:\w+)?="[^"]+"|<!--.*?-->|"http://(www\.w3|purl)\.org/[^"]*"', "", page
    )
    sizes = {Image.open(home / address).size[0] for address in images}
    assert sizes == {16, 64, 256}
    assert "too few for images that match their captions" in page
    assert "but:         Too few minutes were given. 0 s of 0.1 min were left" in first.stdout
    assert "words that t5_nano does not know" not in first.stdout.partition("stage 1 of 3")[2]
    assert 'class="chart"' in page or page.count("has no loss to show") == 3
    runs_page = (tmp_path / "runs/index.html").read_text()
    assert '<a href="../index.html">' in page and 'href="demo/index.html"' in runs_page
    assert runs_page.count("<section") == 3, "each stage is a run"
    scores = json.loads((home / "evaluation/scores.json").read_text())
    assert scores["score/alignment"]["sr2"]["all"]["n"] == 4

    checkpoints = {p: p.stat().st_mtime_ns for p in home.rglob("*.ckpt")}
    drawn = {p: p.stat().st_mtime_ns for p in (home / "evaluation/images").rglob("*.png")}
    drawn |= {p: p.stat().st_mtime_ns for p in (home / "guidance").rglob("*.png")}
    before = json.loads((home / "budget.json").read_text())
    second = demo(tmp_path)
    assert second.stdout.count("already there") == len(commands)
    assert second.stdout.count("already trained") == 3
    assert checkpoints and checkpoints == {p: p.stat().st_mtime_ns for p in checkpoints}
    assert drawn == {p: p.stat().st_mtime_ns for p in drawn}
    budget = json.loads((home / "budget.json").read_text())
    assert budget["seconds"] == before["seconds"], "a reused step keeps the time that it took"
    assert len(budget["starts"]) == 2 and budget["starts"][0] == before["starts"][0]
    assert sum(budget["starts"]) > sum(budget["seconds"].values())
    assert f"in all:      {sum(budget['starts']) / 60:.1f} min of 0.1" in second.stdout

    seen = [run_folder.images_seen(home / stage) for stage in STAGES]
    before = {p: p.read_bytes() for p in drawn}
    demo(tmp_path, minutes=0.2)
    assert all(
        run_folder.images_seen(home / stage) > n for stage, n in zip(STAGES, seen, strict=True)
    )
    assert before == {p: p.read_bytes() for p in drawn}, "no image is replaced"
    (kept,) = (home / "evaluation").glob("scores_*.json")
    assert json.loads(kept.read_text()) == scores
    newer = json.loads((home / "evaluation/scores.json").read_text())
    assert newer["provenance"]["weights"] != scores["provenance"]["weights"]
    images = {
        home / each for each in re.findall(r'<img src="([^"]+)"', (home / "index.html").read_text())
    }
    assert len(images) == 4 * 3 + 2 * 2 and all(image.is_file() for image in images)
    assert not images & set(drawn), "the page shows the images of the newer weights"
