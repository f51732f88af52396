"""An ablation from nothing to its last drawing, through a failure and a kill: every cell is done,
and none twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from laptop import run

from imagen_lit.ablation import cell_log, changes, definition, ledger, preparation
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.plan import Plan, plan
from imagen_lit.run import attempt_log

SCALE = {
    "cascades": {"base": {"cascade": "demo_base"}},
    "stages": {"base": {"stage": "demo_base", "stage.images": 96, "stage.warmup": 32}},
    "train": {
        "logger": "files",
        "callbacks": "default",
        "network.channels": [16, 32],
        "network.blocks": [1, 1],
        "network.attention": [False, True],
        "network.head_width": 16,
        "data.batch_size": 16,
        "data.validation": 8,
    },
    "evaluate": {"metrics": ["contrast"], "prompts.count": 4, "cascade.base.recipe.steps": 2},
    "data": {
        "command": "build_shards",
        "folder": "datasets/demo",
        "settings": {"source.count": 60, "per_shard": 30},
    },
    "seeds": [0],
    "scores": {"quality": "luminance_range", "alignment": "exact"},
}
ABLATION = {
    "arms": {"width": {"setting": "network.embedding", "values": [128, 64]}},
    "stages": ["base"],
    "figures": {
        "curve": {
            "points": {"age": {"setting": "cascade.base.images", "values": [40, 96]}},
            "x": "age",
            "y": "alignment",
            "line": "width",
        }
    },
}
FIRST, SECOND = "ablation/tiny/base/seed-0", "ablation/tiny/base/network.embedding-64+seed-0"
WORDS = ["mine", "scale=tiny"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, and with a scale and an ablation of the user's own."""
    home = tmp_path_factory.mktemp("ablate")
    for kind, name, content in (("scale", "tiny", SCALE), ("ablation", "mine", ABLATION)):
        file = home / "sweeps" / kind / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(yaml.safe_dump(content))
    run("pretrain_text", "documents=64", folder=home)
    return home


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


def planned() -> Plan:
    found = definition.read("mine", "tiny", changes.read([]).definition)
    return plan(found, "runs", preparation.differs, preparation.prepare, preparation.setting)


def entries(home: Path) -> dict[str, Entry]:
    return ledger.read(planned(), home / "runs")


def missing(found: Mapping[str, Entry]) -> set[str]:
    return {name for name, entry in found.items() if not entry.is_done}


def of(training: str) -> set[str]:
    """A training and its drawings."""
    return {c.name for c in planned().cells.values() if training in (c.name, *c.needs)}


def test_the_others_are_done_when_one_fails(home: Path) -> None:
    foreign = home / "runs" / SECOND / "config.yaml"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("stage: {images: 96}\nname: another\n")
    done = run("ablate", *WORDS, folder=home, expect=1)
    assert "1 cell failed" in done.stderr and "Traceback" not in done.stderr
    for words in ("2 trainings of 192 images", "4 drawings of 16 prompts", "GB are free"):
        assert words in done.stdout
    found = entries(home)
    assert missing(found) == of(SECOND) and len(of(SECOND)) == 3
    assert found[SECOND].state == "failed" and "other settings" in found[SECOND].why
    status = run("ablate", *WORDS, "status", folder=home).stdout
    assert f"failed: {SECOND}" in status and max(map(len, status.splitlines())) <= 100
    again = run("ablate", *WORDS, folder=home).stdout
    assert "type the same with retry" in again, "run leaves alone what has failed"


def test_a_retry_does_exactly_what_failed(home: Path) -> None:
    before = entries(home)
    shutil.rmtree(home / "runs" / SECOND)
    run("ablate", *WORDS, "retry", folder=home)
    after = entries(home)
    assert missing(after) == set()
    for name in set(after) - of(SECOND):
        assert after[name].attempts == before[name].attempts
    assert cell_log.path(home / "runs", SECOND).read_text().count(cell_log.BEGUN) == 2


def test_a_folder_that_is_gone_is_made_again_after_a_kill(home: Path) -> None:
    shutil.rmtree(home / "runs" / FIRST)
    before = entries(home)
    assert missing(before) == of(FIRST)
    command = [sys.executable, "-m", "imagen_lit.ablate", *WORDS]
    driver = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL)
    until(lambda: attempt_log.read(home / "runs" / FIRST))
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    until(lambda: not attempt_log.is_running(home / "runs" / FIRST))
    assert FIRST in missing(entries(home))
    run("ablate", *WORDS, folder=home)
    after = entries(home)
    assert missing(after) == set()
    for name in set(after) - of(FIRST):
        assert after[name].attempts == before[name].attempts, "nothing else was done again"
    cut, *_, last = after[FIRST].attempts
    assert cut.state != "finished" and last.state == "finished"
    learnt = [each.end.get("images", 0) - each.end.get("from_images", 0) for each in (cut, last)]
    assert sum(learnt) == 96, "no image is learnt twice"
    assert "nothing to do" in run("ablate", *WORDS, folder=home).stdout


def until(is_true: object, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not is_true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
