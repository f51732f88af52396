"""A run: what an update is, what is left out of it, and that nothing shows where it was taken up
again."""

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

from imagen_lit import checkpoint, run_folder
from imagen_lit.callbacks.checkpoint import Checkpoints
from imagen_lit.callbacks.skipped import Skipped
from imagen_lit.data import collection, shard
from imagen_lit.data.loader import Data
from imagen_lit.diffusion import noise, prediction, schedule, weighting
from imagen_lit.network.unet import UNet
from imagen_lit.stage.condition import Batch, Condition, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.training import Stage

BATCH, IMAGES = 12, 120
PICTURES = 50


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "tiny"
    shard.write(folder / "00000.tar", [sample(number) for number in range(PICTURES)])
    manifest = {"samples": PICTURES, "shards": {"00000": {"samples": PICTURES}}}
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
    at_once: int | None = None,
    validate: int = 3,
    every: int = 10**9,
    **changes: Any,
) -> Stage:
    """What `train` does, with everything small. Goes on from the newest good state of `run`."""
    stage = learner(**changes)
    data = Data(str(shards), "fake", 8, BATCH, at_once=at_once, validation=8)
    state = checkpoint.newest_good(run)
    run_folder.rewind(run, 0 if state is None else checkpoint.images(state))
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
        logger=run_folder.Journal(str(run)),
        plugins=[checkpoint.Aside()],
        callbacks=[*callbacks, Checkpoints(str(run), every=every, keep_last=100)],
    )
    trainer.accumulate_grad_batches = data.pieces(1)
    trainer.val_check_interval *= data.pieces(1)
    trainer.fit(stage, datamodule=data, ckpt_path=state, weights_only=True)
    return stage


def curve(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def close(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert [sorted(row) for row in one] == [sorted(row) for row in other]
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, rel=1e-3), "the same curve"


class StopAt(Callback):
    """What Ctrl-C does, at a chosen place."""

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


@pytest.mark.parametrize("at_once", [6, 5, 1])
def test_an_update_in_pieces_is_the_same_update(shards: Path, tmp_path: Path, at_once: int) -> None:
    whole = fit(shards, tmp_path / "whole")
    pieces = fit(shards, tmp_path / "pieces", at_once=at_once)
    for a, b in zip(whole.parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
    close(curve(tmp_path / "whole"), curve(tmp_path / "pieces"))


def test_the_logged_loss_is_the_mean_over_the_whole_update(shards: Path, tmp_path: Path) -> None:
    fit(shards, tmp_path / "first", StopAt(12), every=12)
    fit(shards, tmp_path / "first", StopAt(24), at_once=4)
    row = next(row for row in curve(tmp_path / "first") if "train/loss" in row)
    assert row["images"] == 24
    stage, data = learner(), Data(str(shards), "fake", 8, BATCH, validation=8)
    state = checkpoint.read(checkpoint.file(tmp_path / "first", 12))["state_dict"]
    stage.load_state_dict(state)
    data.start_at(12)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    t = noise.times(0, batch["position"])
    expected = stage.loss(stage.denoiser, batch, t, 0).mean()
    assert row["train/loss"] == pytest.approx(expected.item(), rel=1e-4)


def test_the_journal_counts_images_exactly_however_many_there_were(
    shards: Path, tmp_path: Path
) -> None:
    start = 100_000_008  # single floats are eight apart there
    fit(shards, tmp_path, images=BATCH)
    state = checkpoint.read(checkpoint.file(tmp_path, BATCH))
    state["state_dict"]["images_seen"] = torch.tensor(start)
    checkpoint.write(state | {"images_seen": start}, checkpoint.file(tmp_path, start))
    fit(shards, tmp_path, images=start + IMAGES, validate=5)
    rows = [row for row in curve(tmp_path) if row["images"] > start]
    learnt = [row["images"] - start for row in rows if "train/loss" in row]
    judged = [row["images"] - start for row in rows if "val/loss" in row]
    assert learnt == list(range(2 * BATCH, IMAGES + 1, 2 * BATCH))
    due = [n * BATCH for n in range(1, 10) if (start // BATCH + n) % 5 == 0]
    assert judged == [*due, IMAGES], "and once at the end"
    assert all(isinstance(row["images"], int) for row in rows)


def test_gradients_are_no_longer_than_is_said(shards: Path, tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    class Look(Callback):
        def on_before_zero_grad(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
            grads = [p.grad for p in pl_module.denoiser.parameters() if p.grad is not None]
            if grads:
                length = math.sqrt(sum(float(g.double().square().sum()) for g in grads))
                logged = float(trainer.callback_metrics.get("train/gradient", math.nan))
                seen.append((length, logged))

    fit(shards, tmp_path, Look())
    assert len(seen) >= 5
    assert all(length <= 1.0 + 1e-4 for length, _ in seen)
    assert any(logged > 1.0 for _, logged in seen), "what is logged is the length before"


# What is left out ---------------------------------------------------------------------------


class Poison(TextOnly):
    """One picture of the stream has text that is not a number."""

    def learn(self, batch: Batch, seed: int) -> Condition:
        told = super().learn(batch, seed)
        poisoned = (batch["position"] % 60 == 30)[:, None, None]
        return Condition(told.text.masked_fill(poisoned, math.nan), told.mask)


@pytest.mark.filterwarnings("ignore:the gradients of the update")
@pytest.mark.parametrize("at_once", [None, 4])
def test_an_update_that_is_not_finite_is_left_out_and_its_pictures_are_named(
    shards: Path, tmp_path: Path, at_once: int | None
) -> None:
    recorder = Recorder()
    stage = fit(
        shards, tmp_path, recorder, Skipped(), at_once=at_once, condition=Poison(0.0), validate=1000
    )
    assert stage.skipped == 2 and int(stage.images_seen) == IMAGES
    for same, moved in ((24, 12), (84, 72)):  # the update from there on, and the one before it
        after = recorder.before[same + BATCH]
        assert all(torch.equal(a, b) for a, b in zip(recorder.before[same], after, strict=True))
        assert not torch.equal(recorder.before[moved][0], recorder.before[same][0])
    assert all(torch.isfinite(p).all() for p in stage.parameters())
    rows = [row for row in curve(tmp_path) if "skipped" in row]
    assert [row["images"] for row in rows] == [36, 96]
    data = Data(str(shards), "fake", 8, BATCH, validation=8)
    data.start_at(24)
    assert rows[0]["skipped"] == next(iter(data.train_dataloader()))["key"]
    counts = [row["train/skipped"] for row in curve(tmp_path) if "train/skipped" in row]
    assert counts == [0, 1, 1, 2, 2]


def test_a_run_that_only_fails_is_ended_with_a_reason(shards: Path, tmp_path: Path) -> None:
    class Hopeless(TextOnly):
        def learn(self, batch: Batch, seed: int) -> Condition:
            told = super().learn(batch, seed)
            return Condition(told.text * math.nan, told.mask)

    said: dict[str, Any] = {"condition": Hopeless(0.0), "patience": 4, "validate": 1000}
    fit(shards, tmp_path, StopAt(24), Skipped(), **said)
    with pytest.raises(RuntimeError, match="4 updates in a row were not finite, up to image 48"):
        fit(shards, tmp_path, Skipped(), **said)
    written = [row["images"] for row in curve(tmp_path) if "skipped" in row]
    assert written == [12, 24, 36, 48], "also of the update that ended it"


def test_ranks_that_have_found_different_states_do_not_go_on() -> None:
    stage = learner()
    for least, most in ((24, 24), (24, 36)):
        strategy = SimpleNamespace(reduce=lambda seen, reduce_op, m=(most, -least): torch.tensor(m))
        stage._trainer = SimpleNamespace(strategy=strategy)
        if least == most:
            stage._agree()
        else:
            with pytest.raises(RuntimeError, match=r"after 24 and 36 images.*the same disk"):
                stage._agree()


# Taken up again -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unbroken(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, Path]:
    run = tmp_path_factory.mktemp("unbroken")
    return fit(shards, run, every=1), run


def same(one: Stage, other: Stage) -> None:
    ours, theirs = one.state_dict(), other.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_from_every_state_the_same_run_follows_bit_for_bit(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    whole, run = unbroken
    states = checkpoint.saved(run)
    assert [checkpoint.images(state) for state in states] == list(range(12, 132, 12))
    for state in states[:-1]:
        again = tmp_path / state.stem
        checkpoint.file(again, 0).parent.mkdir(parents=True)
        checkpoint.file(again, checkpoint.images(state)).hardlink_to(state)
        (again / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes())
        same(fit(shards, again), whole)
        assert curve(again) == curve(run), "no gap, nothing twice"


def test_what_an_optimizer_keeps_lies_in_memory_as_the_weight_does(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    found = []

    class Look(Callback):
        def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
            states = trainer.optimizers[0].state
            pairs = [(w, v) for w, state in states.items() for v in state.values() if v.ndim]
            found.extend((v.stride(), w.stride()) for w, v in pairs if v.shape == w.shape)

    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, Look(), StopAt(60))
    assert found and all(ours == theirs for ours, theirs in found)


def test_stopping_between_two_updates_leaves_no_trace(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    whole, run = unbroken
    for stop in (12, 36, 60, 72):
        half = fit(shards, tmp_path, StopAt(stop))
        assert int(half.images_seen) == stop
    same(fit(shards, tmp_path), whole)
    assert curve(tmp_path) == curve(run)


def test_a_clock_that_jumps_is_not_noticed(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the run, and not by its files: the newest state is the one with the most images."""
    true, jumps = time.time, itertools.cycle([0.0, -7e6, 3e6, 9e8])
    monkeypatch.setattr(time, "time", lambda: true() + next(jumps))
    for stop in (36, 84):
        fit(shards, tmp_path, StopAt(stop), every=12)
        for n, state in enumerate(checkpoint.saved(tmp_path)):
            os.utime(state, (2e9 - n, 2e9 - n))
    same(fit(shards, tmp_path), unbroken[0])
    assert curve(tmp_path) == curve(unbroken[1])


def test_a_run_goes_on_in_pieces_of_another_size(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path
) -> None:
    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, StopAt(60), at_once=4)
    fit(shards, tmp_path, StopAt(84), at_once=2)
    pieces = fit(shards, tmp_path)
    for a, b in zip(unbroken[0].parameters(), pieces.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-3)
    close(curve(unbroken[1]), curve(tmp_path))


def test_a_state_is_saved_between_two_updates_only(shards: Path, tmp_path: Path) -> None:
    class Hasty(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Stage, *_: Any) -> None:
            if not pl_module.between_updates:
                trainer.checkpoint_callback.save(trainer)

    with pytest.raises(RuntimeError, match="between two updates only"):
        fit(shards, tmp_path, Hasty(), at_once=4)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b""])
def test_a_damaged_state_is_passed_over_aloud(
    unbroken: tuple[Stage, Path], shards: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    fit(shards, tmp_path, StopAt(36))
    fit(shards, tmp_path, StopAt(72))
    newest = checkpoint.saved(tmp_path)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged"):
        again = fit(shards, tmp_path, every=12)
    same(again, unbroken[0])
    assert curve(tmp_path) == curve(unbroken[1])
    assert checkpoint.damage(newest) is None, "it came by again and was written anew"
