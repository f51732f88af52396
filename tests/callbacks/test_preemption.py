"""A signal takes effect between two batches; what follows depends on it and on SLURM."""

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

from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.callbacks.preemption import Preemption
from imagen_lit.run import checkpoint, metrics, status

FILE = "saved.ckpt"


class Line(LightningModule):
    """The smallest module that trains and stops as a stage does; it records its events."""

    between_updates = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Linear(1, 1)
        self.events: list[str] = []

    def on_train_batch_start(self, batch: Tensor, index: int) -> int | None:
        return -1 if self.trainer.should_stop else None

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.events.append(f"batch {index}")
        return self.weight(batch).square().mean()

    def validation_step(self, batch: Tensor, index: int) -> None:
        self.events.append(f"validation {index}")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Saver(Checkpoint):
    """Saves when `save` is called."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE

    def save(self, trainer: Trainer, overwrite: bool = False) -> None:
        trainer.lightning_module.events.append("saved")
        trainer.save_checkpoint(self.file)


class Send(Callback):
    """Sends this process a signal during a batch, once."""

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


class EarlySignal(DataLoader):
    """Sends this process a signal when it is opened, which is before training begins."""

    number = 0

    def __iter__(self) -> Any:
        if self.number:
            os.kill(os.getpid(), self.number)
        return super().__iter__()


def fit(
    folder: Path,
    *callbacks: Callback,
    max_requeues: int = 100,
    ckpt: Path | None = None,
    opening: int = 0,
) -> Line:
    line = Line()
    preemption = Preemption(str(folder), grace_seconds=0, max_requeues=max_requeues)
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
        callbacks=[preemption, Saver(folder), *callbacks],
    )
    loader = EarlySignal(torch.ones(24, 1), batch_size=2)
    loader.number = opening
    trainer.fit(line, loader, DataLoader(torch.ones(4, 1), batch_size=2), ckpt_path=ckpt)
    return line


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, in a SLURM job whose scontrol shows `shown`, and records what else it is asked."""
    script = tmp_path / "bin" / "scontrol"
    script.parent.mkdir()
    (tmp_path / "shown").write_text("JobId=17 JobState=RUNNING RunTime=00:01:00")
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --oneliner ] && exec cat {tmp_path}/shown\n'
        f'echo "$@" >> {tmp_path}/scontrol.log\n[ ! -e {tmp_path}/no ]\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    for name, value in TASK.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("imagen_lit.run.lock.is_held", lambda folder: True)
    return tmp_path


def scontrol(folder: Path) -> str:
    file = folder / "scontrol.log"
    return file.read_text() if file.exists() else ""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_the_checkpoint_is_saved_after_the_batch(job: Path, number: int) -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, *signal.valid_signals())]
    events = fit(job, Send(number, step=1)).events
    assert events.index("saved") == events.index("batch 2") - 1, events
    assert events.count("saved") == 1
    assert scontrol(job) == ("" if number == signal.SIGTERM else "requeue 17\n")
    assert status.read(job)["state"] == "running", "nobody has killed it: it goes on"
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, *signal.valid_signals())]


def test_a_request_to_stop_is_answered_at_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ProgressLine()
    line.text, line.doing = "12/16 images", "drawing previews, step 3/16"
    monkeypatch.setattr(ProgressLine, "current", line)
    monkeypatch.setattr(ProgressLine, "is_open", True)
    Preemption(str(tmp_path))._stop(signal.SIGINT, None)
    stopping = "stopping after this update; a second signal stops at once"
    assert capfd.readouterr().err == f"\n{stopping} (now drawing previews, step 3/16)\n"


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_signal_before_the_first_batch_takes_effect(job: Path, number: int) -> None:
    """Also if there is another thread to receive it, such as OpenMP's."""
    end = threading.Event()
    threading.Thread(target=end.wait, daemon=True).start()
    events = fit(job, opening=number).events
    end.set()
    assert events[0] == "saved" and events[1] == "batch 0"
    assert scontrol(job) == ("" if number == signal.SIGTERM else "requeue 17\n")


def test_after_a_refused_requeue_training_goes_on(
    job: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (job / "no").touch()
    events = fit(job, Send(signal.SIGUSR2, step=1)).events
    assert "saved" in events and events[-1] == "validation 1"
    assert "is not requeued (scontrol ended with 1): it continues" in capfd.readouterr().err
    assert status.read(job) == {}


def test_a_job_is_requeued_at_most_so_often(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    fit(job, Send(signal.SIGUSR2, step=1), max_requeues=3)
    assert scontrol(job) == ""
    fit(job, Send(signal.SIGUSR2, step=1), max_requeues=4)
    assert scontrol(job) == "requeue 17\n"


@pytest.mark.parametrize(
    ("shown", "states"),
    [
        ("JobState=COMPLETING RunTime=00:01:00", ["stopped", "stopped", "running"]),  # scancel
        ("JobState=COMPLETING RunTime=00:00:00", ["preempted", "running"]),  # it is queued again
        ("JobState=RUNNING RunTime=00:01:00", ["preempted", "running"]),  # a grace period
    ],
)
def test_a_cancelled_job_says_so_before_it_saves_which_may_take_too_long(
    job: Path, shown: str, states: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (job / "shown").write_text(f"JobId=17 {shown}")
    written: list[str] = []
    monkeypatch.setattr(status, "write", lambda folder, state: written.append(state))
    events = fit(job, Send(signal.SIGTERM, step=1)).events
    assert events.count("saved") == 1
    assert written == states, "and if nobody kills it, it goes on"


def test_an_interrupted_validation_is_made_first_after_a_resume(job: Path) -> None:
    events = fit(job, Send(signal.SIGUSR2, step=3, validating=True)).events
    index = events.index("saved")
    assert events[index - 1 : index + 2] == ["validation 0", "saved", "validation 1"]
    resumed = fit(job, ckpt=job / FILE).events
    expected = ["validation 0", "validation 1", "saved", "batch 3"]
    assert resumed[:4] == expected, "the validation, then a checkpoint that no longer lacks it"


def test_a_pending_validation_that_was_made_is_written_down_once(job: Path) -> None:
    """The checkpoint lacks it; the run went on, made it, and was killed before the next one."""
    fit(job, Send(signal.SIGUSR2, step=3, validating=True))
    assert checkpoint.has_pending_validation(job / FILE)
    rows = [{"images": n, "train/loss": 1.0} for n in (16, 32, 48)]
    rows.insert(2, {"images": 32, "val/loss": 2.0})
    rows.insert(1, {"images": 16, "val/loss": 2.0})
    file = job / "metrics.jsonl"
    for is_pending, count in ((False, 4), (True, 3)):
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        metrics.rewind(job, 32, is_pending)
        assert metrics.read(job) == rows[:count]
    fit(job, Send(signal.SIGUSR2, step=4))
    assert not checkpoint.has_pending_validation(job / FILE)


def test_without_a_pending_validation_a_resume_begins_with_a_batch(job: Path) -> None:
    fit(job, Send(signal.SIGUSR2, step=4))
    assert fit(job, ckpt=job / FILE).events[0].startswith("batch")


def test_outside_slurm_the_signals_of_slurm_are_left_alone(tmp_path: Path) -> None:
    handlers: dict[int, Any] = {}

    class Look(Callback):
        def on_train_batch_start(self, *args: Any) -> None:
            handlers.update({n: signal.getsignal(n) for n in (signal.SIGUSR1, signal.SIGUSR2)})

    fit(tmp_path, Look())
    assert set(handlers.values()) == {signal.SIG_DFL}


def test_ctrl_c_ends_the_batch_and_then_training(tmp_path: Path) -> None:
    events = fit(tmp_path, Send(signal.SIGINT, step=1)).events
    assert events == ["batch 0", "batch 1"], "and no validation that an unbroken run does not have"
