"""A training as a whole, in this process: how it begins, and how it goes on after it was cut."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig
from slurm_task import TASK
from tiny_world import sample

from imagen_lit import checkpoint, door, embed_text, pretrain_text, run_folder, status, train
from imagen_lit.data import collection, shard
from imagen_lit.data.loader import Data
from imagen_lit.stage.training import Stage

IMAGES, BATCH = 64, 8


class Killed(BaseException):
    """What SLURM does to a task that has given way."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, a shard, and its text."""
    place = tmp_path_factory.mktemp("train")
    said = ["folder=" + str(place / "encoders/t5_nano"), "documents=0", "width=16"]
    pretrain_text.main(door.compose("pretrain_text", said))
    shard.write(place / "tiny/00000.tar", [sample(number) for number in range(40)])
    manifest = {"samples": 40, "shards": {"00000": {"samples": 40}}}
    collection.write_manifest(place / "tiny", manifest)
    embed_text.main(door.compose("embed_text", [f"shards={place}/tiny", *encoder(place)]))
    return place


def encoder(place: Path) -> list[str]:
    return [f"text.path={place}/encoders/t5_nano", "text.width=16"]


@pytest.fixture
def config(place: Path, tmp_path: Path) -> Callable[..., DictConfig]:
    words = [f"runs={tmp_path}", f"data.shards={place}/tiny", *encoder(place), "data.validation=16"]
    words += ["network.channels=[8,16,16]", "network.blocks=[1,1,1]", "network.head_width=8"]
    words += [f"data.batch_size={BATCH}", f"stage.images={IMAGES}", "trainer.val_check_interval=3"]
    words += [
        "logger=files",
        "callbacks=default",
        "~callbacks.speed",
        "trainer.log_every_n_steps=1",
    ]
    words += ["callbacks.preemption.patience=0"]
    return lambda name, *more: door.compose("train", [*words, f"name={name}", *more])


def in_a_job(monkeypatch: pytest.MonkeyPatch, restarts: int = 0) -> None:
    here = {"SLURMD_NODENAME": "n1", "SLURM_RESTART_COUNT": str(restarts)}
    for name, value in (TASK | here).items():
        monkeypatch.setenv(name, value)


def curve(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(checkpoint.newest_good(run))["state_dict"]


def same(one: Path, other: Path) -> None:
    assert curve(one) == curve(other)
    ours, theirs = weights(one), weights(other)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def send(number: int, after: int) -> Callable[..., None]:
    """A validation that is interrupted, the one after so many images."""
    step = Stage.validation_step

    def interrupted(stage: Stage, batch: Any, index: int) -> None:
        step(stage, batch, index)
        if int(stage.images_seen) == after and index == 0:
            os.kill(os.getpid(), number)

    return interrupted


@pytest.fixture
def unbroken(config: Callable[..., DictConfig]) -> Path:
    return train.train(config("unbroken"))


@pytest.mark.parametrize("after", [24, IMAGES])
def test_a_validation_that_a_job_was_cut_in_is_made_up_for_also_the_last(
    config: Callable[..., DictConfig],
    unbroken: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    tell = status.tell

    def killed(folder: Path, state: str) -> None:
        tell(folder, state)
        if state == "preempted":
            raise Killed

    in_a_job(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(status, "tell", killed)
        patch.setattr(Stage, "validation_step", send(signal.SIGTERM, after))
        with pytest.raises(Killed):
            train.train(config("cut"))
    in_a_job(monkeypatch, restarts=1)
    cut = train.train(config("cut"))
    same(cut, unbroken)
    assert not checkpoint.owes_validation(checkpoint.newest_good(cut))


@pytest.mark.parametrize("after", [24, IMAGES])
def test_ctrl_c_is_heard_in_a_validation_which_then_comes_again(
    config: Callable[..., DictConfig],
    unbroken: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "validation_step", send(signal.SIGINT, after))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train.train(config("cut"))
    run = unbroken.with_name("cut")
    assert run_folder.images_seen(run) == after and status.read(run)["state"] == "stopped"
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler, "it is put back"
    same(train.train(config("cut")), unbroken)


def test_a_signal_that_comes_while_a_job_makes_ready_is_obeyed(
    config: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, told = Data.setup, []

    def slow(data: Data, *words: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        setup(data, *words, **more)

    in_a_job(monkeypatch)
    monkeypatch.setattr(Data, "setup", slow)
    monkeypatch.setattr(status, "tell", lambda folder, state: told.append(state))
    before = signal.getsignal(signal.SIGTERM)
    train.train(config("early"))
    assert told == ["running", "preempted", "running", "finished"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_start_that_fails_before_it_learns_binds_nobody_to_its_settings(
    config: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*words: Any, **more: Any) -> None:
        raise ValueError("type optimizer=adamw")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", fails)
        with pytest.raises(ValueError, match="adamw"):
            train.train(config("first"))
    assert (tmp_path / "first/config.yaml").exists()
    train.train(config("first", "optimizer=adamw"))
    with pytest.raises(ValueError, match="other settings"):
        train.train(config("first"))
    train.train(config("first", "optimizer=adamw", "network.checkpointing=true", "stage.images=72"))


@pytest.mark.parametrize(
    ("word", "cure"),
    [("~callbacks.checkpoint", "callbacks=default"), ("trainer.logger=false", "logger=files")],
)
def test_a_run_that_would_leave_no_states_or_no_numbers_is_refused(
    config: Callable[..., DictConfig], word: str, cure: str
) -> None:
    with pytest.raises(ValueError, match=f"type .*{cure}"):
        train.train(config("bare", word))
    train.train(config("bare"))


def test_what_is_missing_is_said_in_the_status_too(
    config: Callable[..., DictConfig], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="embed_text"):
        train.train(config("bare", "data.text=nowhere"))
    told = status.read(tmp_path / "bare")
    assert told["state"] == "failed" and "embed_text" in told["error"]


def test_a_start_that_was_replaced_while_it_read_changes_nothing(
    config: Callable[..., DictConfig], unbroken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk hung; meanwhile the job was started again elsewhere, and has come further."""
    in_a_job(monkeypatch)
    newest = checkpoint.newest_good

    def hung(run: Path) -> Path | None:
        state = newest(run)
        later = {"job": "17", "restarts": 1, "host": "n2"}
        (unbroken / "owner.json").write_text(json.dumps(later))
        checkpoint.file(unbroken, IMAGES + BATCH).write_bytes(b"the later start's")
        return state

    monkeypatch.setattr(checkpoint, "newest_good", hung)
    before = curve(unbroken)
    with pytest.raises(RuntimeError, match="belongs to job 17, start 1, on n2"):
        train.train(config("unbroken", "stage.images=128"))
    assert checkpoint.file(unbroken, IMAGES + BATCH).exists() and curve(unbroken) == before


def test_on_a_login_node_the_run_of_a_job_is_left_alone(
    config: Callable[..., DictConfig], unbroken: Path
) -> None:
    said = {"state": "running", "job": "17", "restarts": 0, "host": "n1"}
    (unbroken / "status.json").write_text(json.dumps(said))
    with pytest.raises(RuntimeError, match=r"scancel 17; if it is gone already, remove .*status"):
        train.train(config("unbroken", "stage.images=128"))
