"""A sweep on a laptop, broken off and gone on with, as W&B will show it."""

from pathlib import Path

import pytest
from laptop import SMALL, run
from offline import Kept, flat, journal

from imagen_lit.run_folder import METRICS

WORDS = ["-m", "+sweep=demo", *SMALL, "data.validation=16", "trainer.log_every_n_steps=2"]
WORDS += ["logger=wandb", "runs=mirrored"]  # the sweep's own name belongs to another journey


def test_each_member_of_a_sweep_is_one_run_however_often_it_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folders = [home / "mirrored/sweep/demo" / member for member in ("drop-0.0", "drop-0.1")]
    run("train", *WORDS, "stage.images=128", folder=home)
    first = [Kept(folder) for folder in folders]
    run("train", *WORDS, "stage.images=192", folder=home)
    second = [Kept(folder) for folder in folders]
    for folder, before, kept in zip(folders, first, second, strict=True):
        assert kept.told == flat(journal(folder))
        assert kept.steps == list(range(len(kept.rows))) and len(kept.rows) > len(before.rows)
        assert kept.told[-1]["images"] == 192
        assert kept.run["run_id"] == before.run["run_id"]
        assert kept.run["run_group"] == "sweep/demo"
        assert [each.get("exit_code", 0) for each in kept.exits] == [0]
    assert second[0].run["run_id"] != second[1].run["run_id"]


def test_what_a_run_writes_down_is_among_the_metrics(home: Path) -> None:
    for name, seen in (("demo/base", ["preview", "val/loss"]), ("demo/sr", ["train/loss"])):
        keys = {key for row in journal(home / "runs" / name) for key in row}
        assert keys <= {*METRICS, "images"} and keys >= set(seen)
