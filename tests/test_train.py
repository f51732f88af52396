"""A whole training in this process: how it starts, and how it resumes after an interruption."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Trainer
from omegaconf import DictConfig
from slurm_task import TASK
from tiny_world import sample

from imagen_lit import bench, embed_text, pretrain_text, train
from imagen_lit.basics import hardware
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config, user_error
from imagen_lit.data.loader import Data
from imagen_lit.data.reader import Reader
from imagen_lit.data.shard_files import collection, shard
from imagen_lit.run import checkpoint, preflight, run_folder, status
from imagen_lit.stage.training import Stage

IMAGES, BATCH = 64, 8


class Killed(BaseException):
    """What SLURM does to a preempted task."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, a shard, and its text."""
    place = tmp_path_factory.mktemp("train")
    words = [f"folder={place}/encoders/t5_nano", "documents=0", "width=16"]
    pretrain_text.main(config.compose("pretrain_text", words))
    shard.write(place / "tiny/00000.tar", [sample(number) for number in range(40)])
    manifest = {"samples": 40, "shards": {"00000": {"samples": 40}}}
    collection.write_manifest(place / "tiny", manifest)
    embed_text.main(config.compose("embed_text", [f"shards={place}/tiny", *encoder(place)]))
    return place


def encoder(place: Path) -> list[str]:
    return [f"text.path={place}/encoders/t5_nano", "text.width=16"]


@pytest.fixture
def configure(place: Path, tmp_path: Path) -> Callable[..., DictConfig]:
    words = [f"runs={tmp_path}", f"data.shards={place}/tiny", *encoder(place), "data.validation=16"]
    words += ["network.channels=[8,16,16]", "network.blocks=[1,1,1]", "network.head_width=8"]
    words += [f"data.batch_size={BATCH}", f"stage.images={IMAGES}", "trainer.val_check_interval=3"]
    words += [
        "logger=files",
        "callbacks=default",
        "~callbacks.speed",
        "trainer.log_every_n_steps=1",
    ]
    words += ["callbacks.preemption.grace_seconds=0"]
    return lambda name, *more: config.compose("train", [*words, f"name={name}", *more])


def in_a_job(monkeypatch: pytest.MonkeyPatch, restarts: int = 0) -> None:
    here = {"SLURMD_NODENAME": "n1", "SLURM_RESTART_COUNT": str(restarts)}
    for name, value in (TASK | here).items():
        monkeypatch.setenv(name, value)


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(checkpoint.newest_good(run))["state_dict"]


def assert_same(one: Path, other: Path) -> None:
    assert rows(one) == rows(other)
    first, second = weights(one), weights(other)
    assert all(torch.equal(first[key], second[key]) for key in second)


def send(number: int, after: int) -> Callable[..., None]:
    """A validation that is interrupted, the one after so many images."""
    step = Stage.validation_step

    def interrupted(stage: Stage, batch: Any, index: int) -> None:
        step(stage, batch, index)
        if int(stage.images_seen) == after and index == 0:
            os.kill(os.getpid(), number)

    return interrupted


@pytest.fixture
def uninterrupted(configure: Callable[..., DictConfig]) -> Path:
    return train.train(configure("uninterrupted"))


@pytest.mark.parametrize("after", [24, IMAGES])
def test_a_validation_that_a_job_interrupted_is_made_up_for(
    configure: Callable[..., DictConfig],
    uninterrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    write = status.write

    def write_and_be_killed(folder: Path, state: str) -> None:
        write(folder, state)
        if state == "preempted":
            raise Killed

    in_a_job(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(status, "write", write_and_be_killed)
        patch.setattr(Stage, "validation_step", send(signal.SIGTERM, after))
        with pytest.raises(Killed):
            train.train(configure("cut"))
    in_a_job(monkeypatch, restarts=1)
    cut = train.train(configure("cut"))
    assert_same(cut, uninterrupted)
    assert not checkpoint.has_pending_validation(checkpoint.newest_good(cut))


@pytest.mark.parametrize("after", [24, IMAGES])
def test_ctrl_c_stops_a_validation_which_is_then_repeated(
    configure: Callable[..., DictConfig],
    uninterrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "validation_step", send(signal.SIGINT, after))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train.train(configure("cut"))
    run = uninterrupted.with_name("cut")
    assert run_folder.images_seen(run) == after and status.read(run)["state"] == "stopped"
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler, "the handler is restored"
    assert_same(train.train(configure("cut")), uninterrupted)


def test_a_signal_that_comes_while_a_job_makes_ready_counts(
    configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, states = Data.setup, []

    def slow(data: Data, *words: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        setup(data, *words, **more)

    in_a_job(monkeypatch)
    monkeypatch.setattr(Data, "setup", slow)
    monkeypatch.setattr(status, "write", lambda folder, state: states.append(state))
    before = signal.getsignal(signal.SIGTERM)
    train.train(configure("early"))
    assert states == ["running", "preempted", "running", "finished"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_start_that_failed_at_once_does_not_claim_its_settings(
    configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*words: Any, **more: Any) -> None:
        raise InputError("Set optimizer=adamw.")

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", fails)
        with pytest.raises(ValueError, match="adamw"):
            train.train(configure("first"))
    assert (tmp_path / "first/config.yaml").exists()
    train.train(configure("first", "optimizer=adamw"))
    with pytest.raises(ValueError, match="other settings"):
        train.train(configure("first"))
    train.train(
        configure("first", "optimizer=adamw", "network.checkpointing=true", "stage.images=72")
    )


def test_a_first_batch_that_takes_long_is_announced(
    configure: Callable[..., DictConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def hang(reader: Reader, place: Any) -> None:
        shown.append(capsys.readouterr().err)
        raise KeyboardInterrupt

    shown: list[str] = []
    monkeypatch.setattr(Reader, "__getitem__", hang)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train.train(configure("slow"))
    assert "slow: reading the first batch" in shown[0]


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("data.batch_size=100000000", "batch_size"),
        ("data.micro_batch_size=90000000", "micro_batch_size"),
    ],
)
def test_a_batch_that_no_memory_holds_is_refused_before_it_is_read(
    configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch, word: str, key: str
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda: 2**30)
    refusal = (
        rf"^data\.{key}=.* GiB before .* 1 GiB, at most 349,525 .*Set data\.micro_batch_size=32"
    )
    cfg = configure("large", "data.batch_size=100000000", word)
    with pytest.raises(InputError, match=refusal):
        train.train(cfg)
    preflight.require(configure("large", "data.batch_size=100000000", "data.micro_batch_size=32"))


@pytest.mark.parametrize(
    ("word", "advice"),
    [("~callbacks.checkpoint", "callbacks=default"), ("trainer.logger=false", "logger=files")],
)
def test_a_run_without_checkpoints_or_metrics_is_refused(
    configure: Callable[..., DictConfig], word: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=f"Set .*{advice}"):
        train.train(configure("bare", word))
    train.train(configure("bare"))


REFUSED = [
    ("data.text=nowhere", "embed_text"),
    ("network.channels=[8,16]", r"network\.channels has 2.*network\.blocks has 3"),
    ("optimizer.lr=-1", r"optimizer\.lr=-1 is not a number of 0 or more"),
    ("trainer.devices=0", "Trainer does not take these settings: .*devices=0"),
    ("trainer.gradient_clip_val=-1", r"trainer\.gradient_clip_val=-1 is not a number of 0"),
    ("callbacks.checkpoint.every=0", r"callbacks\.checkpoint\.every=0 is not a whole number of 1"),
    ("data.micro_batch_size=0", r"data\.micro_batch_size=0 is less than one image"),
]


@pytest.mark.parametrize(("word", "message"), REFUSED)
def test_at_a_desk_a_refused_start_leaves_nothing(
    configure: Callable[..., DictConfig], tmp_path: Path, word: str, message: str
) -> None:
    cfg = configure("group/refused", word)
    with pytest.raises(Exception) as refusal:
        train.train(cfg)
    sentence = user_error.sentence(refusal.value, list)
    assert sentence and re.search(message, sentence), sentence
    assert not (tmp_path / "group").exists()


def contents(run: Path) -> dict[Path, tuple[bytes, int]]:
    files = (file for file in run.rglob("*") if file.is_file())
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def damage_text(run: Path) -> None:
    (run / "text.json").write_text("[1]")


def damage_checkpoint(run: Path, key: str) -> None:
    file = checkpoint.newest_good(run)
    content = checkpoint.read(file)
    del (content["state_dict"] if key not in content else content)[key]
    checkpoint.write(content, file)


def damage_loops(run: Path) -> None:
    damage_checkpoint(run, "loops")


def damage_weights(run: Path) -> None:
    damage_checkpoint(run, next(iter(weights(run))))


DAMAGE = [
    (lambda run: None, "callbacks.checkpoint.every=0", r"callbacks\.checkpoint\.every=0"),
    (damage_text, "seed=0", r"text\.json is damaged"),
    (damage_loops, "seed=0", r"64\.ckpt is damaged .*'loops'.*Move it out of its folder"),
    (damage_weights, "seed=0", r"64\.ckpt is damaged .* 1 weights .*Move it out of its folder"),
]


def test_a_refused_start_takes_nothing_from_a_run(
    configure: Callable[..., DictConfig], uninterrupted: Path
) -> None:
    for number, (damage, word, message) in enumerate(DAMAGE):
        run = uninterrupted.with_name(f"copy{number}")
        shutil.copytree(uninterrupted, run)
        settings = (run / "config.yaml").read_text().replace("uninterrupted", run.name)
        (run / "config.yaml").write_text(settings)
        (run / "run.lock").write_text("process 1 on elsewhere")
        damage(run)
        before = contents(run)
        with pytest.raises(Exception, match=message):
            train.train(configure(run.name, word, "stage.images=128"))
        assert contents(run) == before, message


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/x", "", ".", "a//b", "a/."])
def test_a_name_that_leads_out_of_the_runs_is_refused(
    configure: Callable[..., DictConfig], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"is not the name of a folder in .*Set name=mine"):
        train.train(configure(f"'{name}'"))
    assert list(tmp_path.iterdir()) == []


def test_in_a_job_what_is_missing_stands_in_the_status(
    configure: Callable[..., DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_job(monkeypatch)
    with pytest.raises(ValueError, match="embed_text"):
        train.train(configure("bare", "data.text=nowhere"))
    written = status.read(tmp_path / "bare")
    assert written["state"] == "failed" and "embed_text" in written["error"]


def test_a_start_that_was_replaced_while_it_read_changes_nothing(
    configure: Callable[..., DictConfig], uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk hung; meanwhile the job was started again elsewhere, and has come further."""
    in_a_job(monkeypatch)
    newest = checkpoint.newest_good

    def hang(run: Path) -> Path | None:
        state = newest(run)
        later = {"job": "17", "restarts": 1, "host": "n2"}
        (uninterrupted / "lock.json").write_text(json.dumps(later))
        checkpoint.path(uninterrupted, IMAGES + BATCH).write_bytes(b"the later start's")
        return state

    monkeypatch.setattr(checkpoint, "newest_good", hang)
    before = rows(uninterrupted)
    with pytest.raises(RuntimeError, match="belongs to job 17, start 1, on n2"):
        train.train(configure("uninterrupted", "stage.images=128"))
    assert checkpoint.path(uninterrupted, IMAGES + BATCH).exists() and rows(uninterrupted) == before


def test_on_a_login_node_the_run_of_a_job_is_left_alone(
    configure: Callable[..., DictConfig], uninterrupted: Path
) -> None:
    job = {"state": "running", "job": "17", "restarts": 0, "host": "n1"}
    (uninterrupted / "status.json").write_text(json.dumps(job))
    with pytest.raises(RuntimeError, match=r"scancel 17; if .* gone .*, remove .*status"):
        train.train(configure("uninterrupted", "stage.images=128"))


def test_a_speed_counts_the_images_of_all_ranks(
    configure: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = SimpleNamespace(world_size=2, callbacks=[], fit=lambda *_, **__: None)
    monkeypatch.setattr(bench, "build_trainer", lambda *_, **__: trainer)
    cfg = configure("trial", "data.batch_size=16", "data.micro_batch_size=4")
    assert bench._train(cfg, bench.Clock(6)) == (8.0, 2), "two ranks take 4 images each"
    assert trainer.accumulate_grad_batches == 2


def test_a_speed_trial_is_cut_short_when_its_time_is_over(
    configure: Callable[..., DictConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.speed(configure("trial"), 50, seconds=0.0) > 0
    assert f"{bench.WARM_UP + 1}/{bench.WARM_UP + 1} batches timed in" in capsys.readouterr().err
