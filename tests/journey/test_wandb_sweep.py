"""A sweep on a laptop, interrupted and resumed, as W&B will show it."""

from pathlib import Path

import pytest
from laptop import SMALL, run
from offline import OfflineRun, flat, jsonl_rows

from imagen_lit.run.metrics import METRICS

WORDS = ["-m", "+sweep=demo", *SMALL, "data.validation=16", "trainer.log_every_n_steps=2"]
WORDS += ["logger=wandb", "runs=mirrored"]  # the sweep's own name belongs to another journey


def test_a_sweep_member_is_one_wandb_run_however_often_it_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folders = [home / "mirrored/sweep/demo" / member for member in ("drop-0.0", "drop-0.1")]
    run("train", *WORDS, "stage.images=128", folder=home)
    first = [OfflineRun(folder) for folder in folders]
    run("train", *WORDS, "stage.images=192", folder=home)
    second = [OfflineRun(folder) for folder in folders]
    for folder, before, after in zip(folders, first, second, strict=True):
        assert after.logged_rows == flat(jsonl_rows(folder))
        assert after.steps == list(range(len(after.rows))) and len(after.rows) > len(before.rows)
        assert after.logged_rows[-1]["images"] == 192
        assert after.run["run_id"] == before.run["run_id"]
        assert after.run["run_group"] == "sweep/demo"
        assert [each.get("exit_code", 0) for each in after.exits] == [0]
    assert second[0].run["run_id"] != second[1].run["run_id"]


def test_what_a_run_logs_is_among_the_documented_metrics(home: Path) -> None:
    for name, expected in (("demo/base", ["preview", "val/loss"]), ("demo/sr", ["train/loss"])):
        keys = {key for row in jsonl_rows(home / "runs" / name) for key in row}
        assert keys <= {*METRICS, "images"} and keys >= set(expected)
