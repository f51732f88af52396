"""Training's line: right with a last batch beyond the total, and in whatever happens between."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.callbacks.progress import Progress


class Training:
    """Batches of 32 images, a second each, and a validation of a minute after the second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.every, self.logged_every = 0.0, 0.0, 1
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def run(self, batches: int, total: int, is_global_zero: bool = True) -> None:
        metrics = {"train/loss": torch.tensor(0.5)}
        trainer: Any = SimpleNamespace(is_global_zero=is_global_zero, callback_metrics=metrics)
        stage: Any = SimpleNamespace(
            images_seen=0, images=total, is_logged=True, between_updates=True
        )
        progress = Progress("mine", self.every)
        progress.on_fit_start(trainer, stage)
        self.now += 300  # until the first batch is there
        progress.on_train_start(trainer, stage)
        self.now += 30  # to warm up
        for batch in range(batches):
            self.now += 1
            stage.images_seen += 32
            stage.is_logged = batch % self.logged_every == 0
            progress.on_train_batch_end(trainer, stage, None, None, batch)
            if batch == 1:
                progress.on_validation_start(trainer, stage)
                for _ in range(4):
                    self.now += 15
                    progress.on_validation_batch_end(trainer, stage, None, None, 0)
                progress.on_validation_end(trainer, stage)
        self.now += 9  # to save
        progress.on_fit_end(trainer, stage)


def test_it_is_right_from_the_first_second_to_the_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Training(monkeypatch).run(batches=7, total=200)
    lines = [
        line.replace("█", "").replace("░", "") for line in capsys.readouterr().err.splitlines()
    ]
    assert lines.pop(0) == "mine: reading the first batch"
    assert lines[0] == "mine  0/200 images"
    assert lines[1] == "mine  32/200 images, loss 0.5000", "the warm-up is no speed"
    assert lines[2] == "mine  64/200 images, 32 images/s, 0:04 left, loss 0.5000"
    assert lines[3:7] == [f"{lines[2]}, validating"] * 4
    assert all("32 images/s" in line for line in lines[7:-1]), "nor is the validation"
    assert lines[-2] == "mine  200/200 images, 32 images/s, loss 0.5000", "nothing is left"
    assert lines[-1] == "mine  200/200 images in 1:46, loss 0.5000", "all of it, saving included"
    assert ProgressLine.current is None


def test_a_loss_of_an_earlier_update_is_shown_with_its_images(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(monkeypatch)
    training.logged_every = 2
    training.run(batches=3, total=200)
    lines = [line for line in capsys.readouterr().err.splitlines() if "loss" in line]
    assert lines[0].endswith("32/200 images, loss 0.5000")
    assert lines[1].endswith("loss 0.5000 after 32") and lines[-1].endswith("loss 0.5000")


def test_a_validation_says_how_many_images_were_seen_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training(monkeypatch)
    training.every = 50.0  # so that the counts before the validation are not shown
    training.run(batches=2, total=64)
    lines = capsys.readouterr().err.splitlines()
    assert any("64/64 images" in line and "validating" in line for line in lines), lines
    assert not any(" 0/64 images" in line and "validating" in line for line in lines)


def test_an_interrupted_training_does_not_claim_to_have_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Training(monkeypatch).run(batches=3, total=200)
    assert " in " not in capsys.readouterr().err


def test_only_one_rank_shows_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Training(monkeypatch).run(batches=3, total=96, is_global_zero=False)
    assert capsys.readouterr().err == ""
