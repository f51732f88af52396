"""A signal is obeyed between two batches, and what was asked of SLURM decides what comes then."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from slurm_task import TASK
from torch import Tensor, nn
from torch.utils.data import DataLoader

from imagen_lit import checkpoint, run_folder, status
from imagen_lit.callbacks.preemption import Preemption


class Line(LightningModule):
    """The smallest thing that learns and stops as a stage does; keeps what happened in `told`."""

    between_updates = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Linear(1, 1)
        self.told: list[str] = []

    def on_train_batch_start(self, batch: Tensor, index: int) -> int | None:
        return -1 if self.trainer.should_stop else None

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.told.append(f"batch {index}")
        return self.weight(batch).square().mean()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.told.append(f"look {index}")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Keep(Checkpoint):
    """Saves when it is asked."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "kept.ckpt"

    def save(self, trainer: Trainer, anew: bool = False) -> None:
        trainer.lightning_module.told.append("saved")
        trainer.save_checkpoint(self.file)


class Send(Callback):
    """Sends this process a signal in the middle of a batch, once."""

    def __init__(self, number: int, step: int, validating: bool = False) -> None:
        self.number, self.step, self.validating = number, step, validating

    def on_before_zero_grad(self, trainer: Trainer, *args: Any) -> None:
        self._send(trainer)

    def on_validation_batch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        self._send(trainer)

    def _send(self, trainer: Trainer) -> None:
        if trainer.global_step == self.step and trainer.validating == self.validating:
            os.kill(os.getpid(), self.number)
            self.step = -1


class Sudden(DataLoader):
    """Sends this process a signal when it is opened, which is before training begins."""

    number = 0

    def __iter__(self) -> Any:
        if self.number:
            os.kill(os.getpid(), self.number)
        return super().__iter__()


def fit(
    folder: Path, *more: Callback, most: int = 100, ckpt: Path | None = None, opening: int = 0
) -> Line:
    line = Line()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=-1,
        max_steps=6,
        val_check_interval=3,
        limit_val_batches=2,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Preemption(str(folder), patience=0, most=most), Keep(folder), *more],
    )
    loader = Sudden(torch.ones(24, 1), batch_size=2)
    loader.number = opening
    trainer.fit(line, loader, DataLoader(torch.ones(4, 1), batch_size=2), ckpt_path=ckpt)
    return line


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, in a job of SLURM whose scontrol keeps what it was asked."""
    script = tmp_path / "bin" / "scontrol"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ ! -e {tmp_path}/no ]\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("imagen_lit.owner.held", lambda folder: True)
    return tmp_path


def asked(folder: Path) -> str:
    file = folder / "asked"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_the_batch_is_finished_first_then_the_state_is_saved(job: Path, number: int) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, *signal.valid_signals())]
    told = fit(job, Send(number, step=1)).told
    assert told.index("saved") == told.index("batch 2") - 1, told
    assert told.count("saved") == 1
    assert asked(job) == ("" if number == signal.SIGTERM else "requeue 17\n")
    assert status.read(job)["state"] == "running", "nobody has killed it: it goes on"
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, *signal.valid_signals())]


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_signal_that_comes_before_the_first_batch_is_heard(job: Path, number: int) -> None:
    """Also where another thread is there to receive it, as OpenMP's are."""
    over = threading.Event()
    threading.Thread(target=over.wait, daemon=True).start()
    told = fit(job, opening=number).told
    over.set()
    assert told[0] == "saved" and told[1] == "batch 0"
    assert asked(job) == ("" if number == signal.SIGTERM else "requeue 17\n")


def test_a_refused_requeue_is_no_reason_to_wait(
    job: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (job / "no").touch()
    told = fit(job, Send(signal.SIGUSR2, step=1)).told
    assert "saved" in told and told[-1] == "look 1"
    assert "is not requeued (scontrol ended with 1): it goes on" in capfd.readouterr().err
    assert status.read(job) == {}


def test_a_job_is_requeued_only_so_often(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    fit(job, Send(signal.SIGUSR2, step=1), most=3)
    assert asked(job) == ""
    fit(job, Send(signal.SIGUSR2, step=1), most=4)
    assert asked(job) == "requeue 17\n"


def test_a_long_validation_is_left_at_once_and_made_up_for(job: Path) -> None:
    told = fit(job, Send(signal.SIGUSR2, step=3, validating=True)).told
    cut = told.index("saved")
    assert told[cut - 1 : cut + 2] == ["look 0", "saved", "look 1"]
    again = fit(job, ckpt=job / "kept.ckpt").told
    due = ["look 0", "look 1", "saved", "batch 3"]
    assert again[:4] == due, "first the validation, then a state that owes it no more"


def test_a_validation_that_was_owed_and_made_is_written_down_once(job: Path) -> None:
    """The state says that it owes one; the run went on, made it, and was killed before the next."""
    fit(job, Send(signal.SIGUSR2, step=3, validating=True))
    assert checkpoint.owes_validation(job / "kept.ckpt")
    rows = [{"images": n, "train/loss": 1.0} for n in (16, 32, 48)]
    rows.insert(2, {"images": 32, "val/loss": 2.0})
    rows.insert(1, {"images": 16, "val/loss": 2.0})
    file = job / "metrics.jsonl"
    for owed, kept in ((False, 4), (True, 3)):
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        run_folder.rewind(job, 32, owed)
        assert run_folder.metrics(job) == rows[:kept]
    fit(job, Send(signal.SIGUSR2, step=4))
    assert not checkpoint.owes_validation(job / "kept.ckpt")


def test_a_state_of_which_nothing_is_owed_goes_on_with_a_batch(job: Path) -> None:
    fit(job, Send(signal.SIGUSR2, step=4))
    assert fit(job, ckpt=job / "kept.ckpt").told[0].startswith("batch")


def test_outside_slurm_the_signals_of_slurm_are_nobodys(tmp_path: Path) -> None:
    seen: dict[int, Any] = {}

    class Look(Callback):
        def on_train_batch_start(self, *args: Any) -> None:
            seen.update({n: signal.getsignal(n) for n in (signal.SIGUSR1, signal.SIGUSR2)})

    fit(tmp_path, Look())
    assert set(seen.values()) == {signal.SIG_DFL}


def test_ctrl_c_ends_the_batch_and_then_training(tmp_path: Path) -> None:
    told = fit(tmp_path, Send(signal.SIGINT, step=1)).told
    assert told == ["batch 0", "batch 1"], "and no validation that an unbroken run does not have"
