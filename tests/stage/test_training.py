"""A run: what an update is, which updates are skipped, and that a resume leaves no trace."""

import itertools
import json
import math
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from tiny_world import WIDTH, add_text, sample

from imagen_lit.basics.errors import RunError
from imagen_lit.callbacks.checkpoint import Checkpoints
from imagen_lit.callbacks.skipped_updates import SkippedUpdates
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import collection, shard
from imagen_lit.diffusion import noise, prediction, schedule, weighting
from imagen_lit.network.unet import UNet
from imagen_lit.run import checkpoint, metrics
from imagen_lit.run.jsonl_logger import JsonlLogger
from imagen_lit.stage.condition import Batch, Condition, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.training import Stage

BATCH, IMAGES = 12, 120
SAMPLES = 50


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "tiny"
    shard.write(folder / "00000.tar", [sample(number) for number in range(SAMPLES)])
    manifest = {"samples": SAMPLES, "shards": {"00000": {"samples": SAMPLES}}}
    collection.write_manifest(folder, manifest)
    add_text(folder)
    return folder


def learner(**changes: Any) -> Stage:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32)
    parts: dict[str, Any] = {
        "denoiser": Denoiser(network, schedule.Cosine(), prediction.Velocity()),
        "condition": TextOnly(0.1),
        "weighting": weighting.snr_plus_one,
        "optimizer": partial(torch.optim.AdamW, lr=3e-3),
        "images": IMAGES,
        "warmup": 24,
        "cooldown": 0.5,
        "ema_half_life": 50,
    }
    return Stage(**(parts | changes))


def fit(
    shards: Path,
    run: Path,
    *callbacks: Callback,
    micro_batch_size: int | None = None,
    validate: int = 3,
    every: int = 10**9,
    **changes: Any,
) -> Stage:
    """What `train` does, but small. Resumes from the newest good checkpoint of `run`."""
    stage = learner(**changes)
    data = Data(str(shards), "fake", 8, BATCH, micro_batch_size=micro_batch_size, validation=8)
    newest = checkpoint.newest_good(run)
    metrics.rewind(run, 0 if newest is None else checkpoint.images(newest))
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=-1,
        val_check_interval=validate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=2,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=JsonlLogger(str(run)),
        plugins=[checkpoint.AtomicCheckpointIO()],
        callbacks=[*callbacks, Checkpoints(str(run), every=every, keep_last=100)],
    )
    trainer.accumulate_grad_batches = data.accumulation_steps(1)
    trainer.val_check_interval *= data.accumulation_steps(1)
    trainer.fit(stage, datamodule=data, ckpt_path=newest, weights_only=True)
    return stage


def curve(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_close(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert [sorted(row) for row in one] == [sorted(row) for row in other]
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, rel=1e-3), "the same curve"


class StopAt(Callback):
    """What Ctrl-C does, after so many images."""

    def __init__(self, images: int) -> None:
        self.images = images

    def on_train_batch_start(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
        if int(pl_module.images_seen) >= self.images and pl_module.between_updates:
            trainer.should_stop = True


class Recorder(Callback):
    """The weights before every update."""

    def __init__(self) -> None:
        self.before: dict[int, list[torch.Tensor]] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
        weights = [p.detach().clone() for p in pl_module.denoiser.parameters()]
        self.before.setdefault(int(pl_module.images_seen), weights)


# What an update is --------------------------------------------------------------------------


@pytest.mark.parametrize("micro_batch_size", [6, 5, 1])
def test_an_update_in_micro_batches_is_the_same_update(
    shards: Path, tmp_path: Path, micro_batch_size: int
) -> None:
    whole = fit(shards, tmp_path / "whole")
    split = fit(shards, tmp_path / "split", micro_batch_size=micro_batch_size)
    for a, b in zip(whole.parameters(), split.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
    assert_close(curve(tmp_path / "whole"), curve(tmp_path / "split"))


def test_the_logged_loss_is_the_mean_over_the_whole_update(shards: Path, tmp_path: Path) -> None:
    fit(shards, tmp_path / "first", StopAt(12), every=12)
    fit(shards, tmp_path / "first", StopAt(24), micro_batch_size=4)
    row = next(row for row in curve(tmp_path / "first") if "train/loss" in row)
    assert row["images"] == 24
    stage, data = learner(), Data(str(shards), "fake", 8, BATCH, validation=8)
    state = checkpoint.read(checkpoint.path(tmp_path / "first", 12))["state_dict"]
    stage.load_state_dict(state)
    data.start_at(12)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    t = noise.times(0, batch["position"])
    expected = stage.loss(stage.denoiser, batch, t, 0).mean()
    assert row["train/loss"] == pytest.approx(expected.item(), rel=1e-4)


def test_the_metrics_count_images_exactly_however_many_there_were(
    shards: Path, tmp_path: Path
) -> None:
    start = 100_000_008  # single floats are eight apart there
    fit(shards, tmp_path, images=BATCH)
    state = checkpoint.read(checkpoint.path(tmp_path, BATCH))
    state["state_dict"]["images_seen"] = torch.tensor(start)
    checkpoint.write(state | {"images_seen": start}, checkpoint.path(tmp_path, start))
    fit(shards, tmp_path, images=start + IMAGES, validate=5)
    rows = [row for row in curve(tmp_path) if row["images"] > start]
    training = [row["images"] - start for row in rows if "train/loss" in row]
    validation = [row["images"] - start for row in rows if "val/loss" in row]
    assert training == list(range(2 * BATCH, IMAGES + 1, 2 * BATCH))
    due = [n * BATCH for n in range(1, 10) if (start // BATCH + n) % 5 == 0]
    assert validation == [*due, IMAGES], "and once at the end"
    assert all(isinstance(row["images"], int) for row in rows)


def test_the_gradient_norm_is_clipped(shards: Path, tmp_path: Path) -> None:
    norms: list[tuple[float, float]] = []  # of the gradients, and as logged

    class Look(Callback):
        def on_before_zero_grad(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
            grads = [p.grad for p in pl_module.denoiser.parameters() if p.grad is not None]
            if grads:
                norm = math.sqrt(sum(float(g.double().square().sum()) for g in grads))
                log = float(trainer.callback_metrics.get("train/grad_norm", math.nan))
                norms.append((norm, log))

    fit(shards, tmp_path, Look())
    assert len(norms) >= 5
    assert all(norm <= 1.0 + 1e-4 for norm, _ in norms)
    assert any(log > 1.0 for _, log in norms), "what is logged is the norm before clipping"


# What is skipped ----------------------------------------------------------------------------


class Poison(TextOnly):
    """One image in sixty has text that is not a number."""

    def for_training(self, batch: Batch, seed: int) -> Condition:
        condition = super().for_training(batch, seed)
        is_poison = (batch["position"] % 60 == 30)[:, None, None]
        return Condition(condition.text.masked_fill(is_poison, math.nan), condition.mask)


@pytest.mark.filterwarnings("ignore:the gradients of the update")
@pytest.mark.parametrize("micro_batch_size", [None, 4])
def test_an_update_that_is_not_finite_is_skipped_and_its_images_are_named(
    shards: Path, tmp_path: Path, micro_batch_size: int | None
) -> None:
    recorder = Recorder()
    stage = fit(
        shards,
        tmp_path,
        recorder,
        SkippedUpdates(),
        micro_batch_size=micro_batch_size,
        condition=Poison(0.0),
        validate=1000,
    )
    assert stage.skips.total == 2 and int(stage.images_seen) == IMAGES
    for start, previous in ((24, 12), (84, 72)):  # of the skipped update, and of the one before it
        after = recorder.before[start + BATCH]
        assert all(torch.equal(a, b) for a, b in zip(recorder.before[start], after, strict=True))
        assert not torch.equal(recorder.before[previous][0], recorder.before[start][0])
    assert all(torch.isfinite(p).all() for p in stage.parameters())
    rows = [row for row in curve(tmp_path) if "skipped_keys" in row]
    assert [row["images"] for row in rows] == [36, 96]
    data = Data(str(shards), "fake", 8, BATCH, validation=8)
    data.start_at(24)
    assert rows[0]["skipped_keys"] == next(iter(data.train_dataloader()))["key"]
    counts = [
        row["train/skipped_updates"] for row in curve(tmp_path) if "train/skipped_updates" in row
    ]
    assert counts == [0, 1, 1, 2, 2]


def test_a_run_that_only_skips_updates_ends_with_a_reason(shards: Path, tmp_path: Path) -> None:
    class Hopeless(TextOnly):
        def for_training(self, batch: Batch, seed: int) -> Condition:
            condition = super().for_training(batch, seed)
            return Condition(condition.text * math.nan, condition.mask)

    changes: dict[str, Any] = {"condition": Hopeless(0.0), "max_skipped_in_a_row": 4}
    fit(shards, tmp_path, StopAt(24), SkippedUpdates(), validate=1000, **changes)
    with pytest.raises(RunError, match="4 updates in a row were not finite, up to image 48"):
        fit(shards, tmp_path, SkippedUpdates(), validate=1000, **changes)
    images = [row["images"] for row in curve(tmp_path) if "skipped_keys" in row]
    assert images == [12, 24, 36, 48], "also of the update that ended it"


def test_ranks_that_resume_from_different_checkpoints_stop() -> None:
    stage = learner()
    for least, most in ((24, 24), (24, 36)):
        result = torch.tensor((most, -least))
        strategy = SimpleNamespace(reduce=lambda images, reduce_op, result=result: result)
        stage._trainer = SimpleNamespace(strategy=strategy)
        if least == most:
            stage._check_ranks_agree()
        else:
            with pytest.raises(RunError, match=r"after 24 and 36 images.*the same disk"):
                stage._check_ranks_agree()


# Resuming -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unbroken(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Path]:
    run = tmp_path_factory.mktemp("unbroken")
    return fit(shards, run, every=1), run


def assert_equal(one: Stage, other: Stage) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_from_every_checkpoint_the_same_run_follows_bit_for_bit(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    whole, run = unbroken
    files = checkpoint.saved(run)
    assert [checkpoint.images(file) for file in files] == list(range(12, 132, 12))
    for file in files[:-1]:
        resumed = tmp_path / file.stem
        checkpoint.path(resumed, 0).parent.mkdir(parents=True)
        checkpoint.path(resumed, checkpoint.images(file)).hardlink_to(file)
        (resumed / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes())
        assert_equal(fit(shards, resumed), whole)
        assert curve(resumed) == curve(run), "no gap, nothing twice"


def test_the_optimizer_state_has_the_memory_format_of_its_weight(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    strides = []

    class Look(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            states = trainer.optimizers[0].state
            pairs = [(w, v) for w, state in states.items() for v in state.values() if v.ndim]
            strides.extend((v.stride(), w.stride()) for w, v in pairs if v.shape == w.shape)

    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, Look(), StopAt(60))
    assert strides and all(state == weight for state, weight in strides)


def test_stopping_between_two_updates_leaves_no_trace(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    whole, run = unbroken
    for stop in (12, 36, 60, 72):
        part = fit(shards, tmp_path, StopAt(stop))
        assert int(part.images_seen) == stop
    assert_equal(fit(shards, tmp_path), whole)
    assert curve(tmp_path) == curve(run)


def test_a_clock_that_jumps_has_no_effect(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the run, or on its files: the newest checkpoint is the one with the most images."""
    true_time, jumps = time.time, itertools.cycle([0.0, -7e6, 3e6, 9e8])
    monkeypatch.setattr(time, "time", lambda: true_time() + next(jumps))
    for stop in (36, 84):
        fit(shards, tmp_path, StopAt(stop), every=12)
        for n, file in enumerate(checkpoint.saved(tmp_path)):
            os.utime(file, (2e9 - n, 2e9 - n))
    assert_equal(fit(shards, tmp_path), unbroken[0])
    assert curve(tmp_path) == curve(unbroken[1])


def test_a_run_resumes_with_another_micro_batch_size(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, StopAt(60), micro_batch_size=4)
    fit(shards, tmp_path, StopAt(84), micro_batch_size=2)
    resumed = fit(shards, tmp_path)
    for a, b in zip(unbroken[0].parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
    assert_close(curve(unbroken[1]), curve(tmp_path))


def test_a_checkpoint_is_saved_between_two_updates_only(shards: Path, tmp_path: Path) -> None:
    class Hasty(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
            if not pl_module.between_updates:
                trainer.checkpoint_callback.save(trainer)

    with pytest.raises(RunError, match="can only be saved between two updates"):
        fit(shards, tmp_path, Hasty(), micro_batch_size=4)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b""])
def test_a_damaged_checkpoint_is_skipped_with_a_warning(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, StopAt(72))
    newest = checkpoint.saved(tmp_path)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        resumed = fit(shards, tmp_path, every=12)
    assert_equal(resumed, unbroken[0])
    assert curve(tmp_path) == curve(unbroken[1])
    assert checkpoint.damage(newest) is None, "the resumed run wrote it again"
