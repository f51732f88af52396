"""The same command resumes, and nothing shows that the run was interrupted."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from laptop import SMALL, run

from imagen_lit.run import checkpoint

IMAGES = 960
WORDS = [*SMALL, "data.validation=16", f"stage.images={IMAGES}", "callbacks=default"]
WORDS += ["~callbacks.speed", "callbacks.checkpoint.every=64", "trainer.val_check_interval=7"]
WORDS += ["trainer.log_every_n_steps=2"]


@pytest.fixture(scope="module")
def two_ranks(request: pytest.FixtureRequest) -> list[str]:
    """Two ranks: CPUs or, with --device=cuda, GPUs."""
    device = "gpu" if request.config.getoption("--device").startswith("cuda") else "cpu"
    return ["trainer=ddp", f"trainer.accelerator={device}", "trainer.precision=32-true",
            "trainer.devices=2"]  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(home: Path) -> Path:
    run("train", *WORDS, "name=uninterrupted", folder=home)
    return home / "runs/uninterrupted"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(checkpoint.newest_good(folder))["state_dict"]


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def distance(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """Between two sets of weights, relative to their norm."""
    assert ours.keys() == theirs.keys()
    square = {key: (ours[key] - theirs[key]).double().square().sum() for key in theirs}
    size = sum(value.double().square().sum() for value in theirs.values() if value.ndim)
    return float((sum(square.values()) / size).sqrt())


def assert_alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert [sorted(row) for row in one] == [sorted(row) for row in other]
    for a, b in zip(one, other, strict=True):
        assert a["images"] == b["images"]
        for key in {"train/loss", "val/loss"} & set(a):
            assert a[key] == pytest.approx(b[key], rel=1e-2)


def images_logged(folder: Path) -> int:
    file = folder / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return json.loads(lines[-1])["images"] if lines and lines[-1].endswith("}") else 0


def interrupt(home: Path, name: str, words: list[str], number: int, after: int) -> str:
    """Start the run, send it a signal when it has logged `after` images, and wait for its end; its
    output."""
    output = home / f"{name}.out"
    process = warm.command("train", [*words, f"name={name}"], home, output, output)
    until = time.monotonic() + 120
    while images_logged(home / "runs" / name) < after:
        assert time.monotonic() < until, f"the run does not get that far: {output.read_text()}"
        time.sleep(0.01)
    os.kill(process, number)
    assert warm.wait(process) != 0, "it was to be interrupted before its end"
    return output.read_text()


def test_a_run_killed_four_times_ends_like_one_never_interrupted(
    home: Path, uninterrupted: Path
) -> None:
    chance = random.Random(7)
    moments = sorted(chance.sample(range(40, IMAGES - 200), 4))
    numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2]
    for number, after in zip(numbers, moments, strict=True):
        output = interrupt(home, "broken", WORDS, number, after)
        if number == signal.SIGINT:
            assert "type the same command" in output
    run("train", *WORDS, "name=broken", folder=home)
    ours, theirs = weights(home / "runs/broken"), weights(uninterrupted)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert curve(home / "runs/broken") == curve(uninterrupted), "no gap, and nothing twice"


def test_the_clocks_never_go_back_over_a_kill_and_a_resume(home: Path) -> None:
    """Every row of numbers has the seconds and FLOPs of the training up to it."""
    words = [word for word in WORDS if word != "~callbacks.speed"]
    words = [*words, "stage.images=480"]
    interrupt(home, "clocked", words, signal.SIGKILL, 150)
    before = curve(home / "runs/clocked")
    run("train", *words, "name=clocked", folder=home)
    rows = [row for row in curve(home / "runs/clocked") if "preview" not in row]
    seconds = [row["clock/seconds"] for row in rows]
    assert seconds == sorted(seconds) and seconds[0] > 0
    assert {row["clock/flops"] / row["images"] for row in rows} == {
        rows[0]["clock/flops"] / rows[0]["images"]
    }
    kept = [row for row in before if row in rows]
    assert kept and len(rows) > len(before), "what was before the checkpoint stays as it was"


def test_two_ranks_then_one_then_two_train_the_same_run(
    home: Path, uninterrupted: Path, two_ranks: list[str]
) -> None:
    interrupt(home, "ranks", [*WORDS, *two_ranks], signal.SIGINT, 200)
    assert 0 < checkpoint.images(checkpoint.newest_good(home / "runs/ranks")) < IMAGES
    interrupt(home, "ranks", WORDS, signal.SIGKILL, 500)
    micro_batches = [*two_ranks, "data.micro_batch_size=4"]  # whose gradients add up on each rank
    stderr = run("train", *WORDS, *micro_batches, "name=ranks", folder=home).stderr
    assert "sync_dist" not in stderr and "Warning" not in stderr, "nothing a user need not read"
    ours, theirs = weights(home / "runs/ranks"), weights(uninterrupted)
    assert distance(ours, theirs) < 0.01
    assert_alike(curve(home / "runs/ranks"), curve(uninterrupted))


def test_weights_sharded_over_two_ranks_train_the_same_run_too(
    home: Path, two_ranks: list[str]
) -> None:
    words = [*WORDS, "optimizer=adamw", "stage.images=320"]
    run("train", *words, "name=unsharded", folder=home)
    interrupt(home, "sharded", [*words, *two_ranks, "trainer=fsdp"], signal.SIGINT, 96)
    interrupt(home, "sharded", words, signal.SIGINT, 192)
    run("train", *words, *two_ranks, "trainer=fsdp", "name=sharded", folder=home)
    ours, theirs = weights(home / "runs/sharded"), weights(home / "runs/unsharded")
    assert distance(ours, theirs) < 0.01
    assert_alike(curve(home / "runs/sharded"), curve(home / "runs/unsharded"))


def test_a_sharded_bf16_run_validates_previews_and_saves_in_float32(
    home: Path, two_ranks: list[str]
) -> None:
    words = [*SMALL, "data.validation=16", "stage.images=64", "optimizer=adamw", *two_ranks]
    words += ["trainer=fsdp", "trainer.precision=bf16-mixed", "trainer.val_check_interval=4"]
    words += ["callbacks.preview.every=32", "prompts.count=4"]
    words += ["callbacks.preview.recipe.steps=2"]
    run("train", *words, "name=half", folder=home)
    state = checkpoint.read(checkpoint.newest_good(home / "runs/half"))
    saved = [*state["state_dict"].items(), *state["optimizer_states"][0]["state"].items()]
    tensors = [each for _, each in saved if torch.is_tensor(each) and each.is_floating_point()]
    tensors += [each for _, many in saved if isinstance(many, dict) for each in many.values()]
    assert tensors and {each.dtype for each in tensors} == {torch.float32}
    rows = curve(home / "runs/half")
    assert any("health/text_gap" in row for row in rows)
    assert [row["preview"] for row in rows if "preview" in row] == [
        "preview_000000032.png", "preview_000000064.png",
    ]  # fmt: skip


def test_a_compiled_run_resumes_uncompiled_and_is_the_same_run(
    home: Path, uninterrupted: Path
) -> None:
    """With the compiler's own graphs, but without the C++ that not every machine can build."""
    interrupt(home, "compiled", [*WORDS, "compile=aot_eager"], signal.SIGINT, 200)
    run("train", *WORDS, "name=compiled", folder=home)
    assert distance(weights(home / "runs/compiled"), weights(uninterrupted)) < 0.01
    assert_alike(curve(home / "runs/compiled"), curve(uninterrupted))
    done = run("train", *WORDS, "name=no", "compile=fast", folder=home, expect=1)
    assert "compile=inductor" in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_stops_a_run_which_resumes_when_there_is_space(
    home: Path, uninterrupted: Path
) -> None:
    """Checkpoints are written by a second thread, so the failure of one shows at the next. Three
    fit."""
    small_disk = home / "runs/brim"
    small_disk.mkdir(parents=True)
    size = f"size={int(3.7 * checkpoint.newest_good(uninterrupted).stat().st_size)}"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(small_disk)]
    if subprocess.run(mount).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        words = [*WORDS, "name=brim", "trainer.plugins.0.asynchronous=true"]
        done = run("train", *words, "callbacks.checkpoint.keep_last=9", folder=home, expect=1)
        assert "the disk is full" in done.stderr and "Traceback" not in done.stderr
        saved = [checkpoint.images(file) for file in checkpoint.saved(small_disk)]
        assert saved == [64, 128, 192] and not list(small_disk.rglob("*.tmp"))
        checkpoint.path(small_disk, 64).unlink()
        run("train", *words, "callbacks.checkpoint.keep_last=1", folder=home)
        ours = weights(small_disk)
    finally:  # lazily: the checkpoint just read is still mapped
        subprocess.run(["umount", "--lazy", str(small_disk)], check=True)
    assert all(torch.equal(ours[key], value) for key, value in weights(uninterrupted).items())


def test_an_optimizer_of_whole_matrices_refuses_sharded_weights(
    home: Path, two_ranks: list[str]
) -> None:
    words = [*WORDS, *two_ranks, "trainer=fsdp", "name=refused"]
    done = run("train", *words, folder=home, expect=1)
    assert "optimizer=adamw" in done.stderr and "Traceback" not in done.stderr


def test_a_run_folder_copied_elsewhere_resumes_there(home: Path, uninterrupted: Path) -> None:
    interrupt(home, "moved", WORDS, signal.SIGINT, 200)
    shutil.copytree(home / "runs/moved", home / "elsewhere/moved")
    run("train", *WORDS, "name=moved", "runs=elsewhere", folder=home)
    ours, theirs = weights(home / "elsewhere/moved"), weights(uninterrupted)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_new_run_starts_from_the_weights_of_another(home: Path, uninterrupted: Path) -> None:
    words = [*WORDS, "stage.images=16", "name=tuned", f"start_from={uninterrupted}"]
    words += ["optimizer.lr=0", "optimizer.plain_lr=0", "optimizer.weight_decay=0"]
    run("train", *words, folder=home)
    ours, theirs = weights(home / "runs/tuned"), weights(uninterrupted)
    for key in (key for key in theirs if key.startswith("ema.")):
        torch.testing.assert_close(ours[key], theirs[key], atol=1e-6, rtol=1e-6)
    assert checkpoint.images(checkpoint.newest_good(home / "runs/tuned")) == 16
    words = [*WORDS, "name=other", f"start_from={uninterrupted}", "network.channels=[16,64]"]
    done = run("train", *words, folder=home, expect=1)
    assert "has another network" in done.stderr and "Traceback" not in done.stderr
