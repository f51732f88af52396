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

from imagen_lit import checkpoint

IMAGES = 960
WORDS = [*SMALL, "data.validation=16", f"stage.images={IMAGES}", "callbacks=default"]
WORDS += ["~callbacks.speed", "callbacks.checkpoint.every=64", "trainer.val_check_interval=7"]
WORDS += ["trainer.log_every_n_steps=2"]


@pytest.fixture(scope="module")
def two(request: pytest.FixtureRequest) -> list[str]:
    """Two ranks: CPUs or, with --device=cuda, GPUs."""
    place = "gpu" if request.config.getoption("--device").startswith("cuda") else "cpu"
    return ["trainer=ddp", f"trainer.accelerator={place}", "trainer.precision=32-true",
            "trainer.devices=2"]  # fmt: skip


@pytest.fixture(scope="module")
def whole(home: Path) -> Path:
    run("train", *WORDS, "name=whole", folder=home)
    return home / "runs/whole"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(checkpoint.newest_good(folder))["state_dict"]


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def apart(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """How far two sets of weights are apart, as a share of their size."""
    assert ours.keys() == theirs.keys() and torch.equal(ours["images_seen"], theirs["images_seen"])
    square = {key: (ours[key] - theirs[key]).double().square().sum() for key in theirs}
    size = sum(value.double().square().sum() for value in theirs.values() if value.ndim)
    return float((sum(square.values()) / size).sqrt())


def alike(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert [sorted(row) for row in one] == [sorted(row) for row in other]
    for a, b in zip(one, other, strict=True):
        assert a["images"] == b["images"]
        for key in {"train/loss", "val/loss"} & set(a):
            assert a[key] == pytest.approx(b[key], rel=1e-2)


def images_logged(folder: Path) -> int:
    journal = folder / "metrics.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return json.loads(lines[-1])["images"] if lines and lines[-1].endswith("}") else 0


def break_off(home: Path, name: str, words: list[str], number: int, after: int) -> str:
    """Start the run, send it a signal when it has logged `after` images, and wait for its end."""
    said = home / f"{name}.said"
    process = warm.door("train", [*words, f"name={name}"], home, said, said)
    until = time.monotonic() + 120
    while images_logged(home / "runs" / name) < after:
        assert time.monotonic() < until, f"the run does not come so far: {said.read_text()}"
        time.sleep(0.01)
    os.kill(process, number)
    assert warm.wait(process) != 0, "it was to be broken off before its end"
    return said.read_text()


def test_a_run_killed_again_and_again_ends_as_if_nothing_had_been(home: Path, whole: Path) -> None:
    chance = random.Random(7)
    at = sorted(chance.sample(range(40, IMAGES - 200), 4))
    kinds = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR2]
    for number, after in zip(kinds, at, strict=True):
        said = break_off(home, "broken", WORDS, number, after)
        if number == signal.SIGINT:
            assert "type the same command" in said
    run("train", *WORDS, "name=broken", folder=home)
    ours, theirs = weights(home / "runs/broken"), weights(whole)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert curve(home / "runs/broken") == curve(whole), "no gap, and nothing twice"


def test_two_ranks_then_one_then_two_make_the_same_run(
    home: Path, whole: Path, two: list[str]
) -> None:
    break_off(home, "ranks", [*WORDS, *two], signal.SIGINT, 200)
    assert 0 < checkpoint.images(checkpoint.newest_good(home / "runs/ranks")) < IMAGES
    break_off(home, "ranks", WORDS, signal.SIGKILL, 500)
    said = run("train", *WORDS, *two, "name=ranks", folder=home).stderr
    assert "sync_dist" not in said and "Warning" not in said, "nothing that is not meant for her"
    ours, theirs = weights(home / "runs/ranks"), weights(whole)
    assert apart(ours, theirs) < 0.01
    alike(curve(home / "runs/ranks"), curve(whole))


def test_weights_shared_out_over_two_ranks_make_the_same_run_too(
    home: Path, two: list[str]
) -> None:
    words = [*WORDS, "optimizer=adamw", "stage.images=320"]
    run("train", *words, "name=unshared", folder=home)
    break_off(home, "sharded", [*words, *two, "trainer=fsdp"], signal.SIGINT, 96)
    break_off(home, "sharded", words, signal.SIGINT, 192)
    run("train", *words, *two, "trainer=fsdp", "name=sharded", folder=home)
    ours, theirs = weights(home / "runs/sharded"), weights(home / "runs/unshared")
    assert apart(ours, theirs) < 0.01
    alike(curve(home / "runs/sharded"), curve(home / "runs/unshared"))


def test_shards_in_bf16_are_validated_drawn_and_saved_in_full(home: Path, two: list[str]) -> None:
    words = [*SMALL, "data.validation=16", "stage.images=64", "optimizer=adamw", *two]
    words += ["trainer=fsdp", "trainer.precision=bf16-mixed", "trainer.val_check_interval=4"]
    words += ["callbacks.preview.every=32", "callbacks.preview.examiner.count=4"]
    words += ["callbacks.preview.recipe.steps=2"]
    run("train", *words, "name=half", folder=home)
    state = checkpoint.read(checkpoint.newest_good(home / "runs/half"))
    kept = [*state["state_dict"].items(), *state["optimizer_states"][0]["state"].items()]
    tensors = [each for _, each in kept if torch.is_tensor(each) and each.is_floating_point()]
    tensors += [each for _, many in kept if isinstance(many, dict) for each in many.values()]
    assert tensors and {each.dtype for each in tensors} == {torch.float32}
    rows = curve(home / "runs/half")
    assert any("health/text_gap" in row for row in rows)
    assert [row["preview"] for row in rows if "preview" in row] == [
        "preview_000000032.png", "preview_000000064.png",
    ]  # fmt: skip


def test_a_compiled_run_goes_on_uncompiled_and_is_the_same_run(home: Path, whole: Path) -> None:
    """By the compiler's own graphs, but without the C++ that not every machine can build."""
    break_off(home, "compiled", [*WORDS, "compile=aot_eager"], signal.SIGINT, 200)
    run("train", *WORDS, "name=compiled", folder=home)
    assert apart(weights(home / "runs/compiled"), weights(whole)) < 0.01
    alike(curve(home / "runs/compiled"), curve(whole))
    done = run("train", *WORDS, "name=no", "compile=fast", folder=home, expect=1)
    assert "compile=inductor" in done.stderr and "Traceback" not in done.stderr


def test_a_disk_that_fills_up_stops_a_run_that_then_goes_on(home: Path, whole: Path) -> None:
    """Written from a second thread, where it is noticed a state later. Three find room."""
    small = home / "runs/brim"
    small.mkdir(parents=True)
    room = f"size={int(3.7 * checkpoint.newest_good(whole).stat().st_size)}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", str(small)]).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        words = [*WORDS, "name=brim", "trainer.plugins.0.asynchronous=true"]
        done = run("train", *words, "callbacks.checkpoint.keep_last=9", folder=home, expect=1)
        assert "the disk is full" in done.stderr and "Traceback" not in done.stderr
        kept = [checkpoint.images(state) for state in checkpoint.saved(small)]
        assert kept == [64, 128, 192] and not list(small.rglob("*.tmp"))
        checkpoint.file(small, 64).unlink()
        run("train", *words, "callbacks.checkpoint.keep_last=1", folder=home)
        ours = weights(small)
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)  # a state read is mapped
    assert all(torch.equal(ours[key], value) for key, value in weights(whole).items())


def test_an_optimizer_of_whole_matrices_refuses_shards_of_them(home: Path, two: list[str]) -> None:
    done = run("train", *WORDS, *two, "trainer=fsdp", "name=refused", folder=home, expect=1)
    assert "optimizer=adamw" in done.stderr and "Traceback" not in done.stderr


def test_a_run_folder_copied_elsewhere_goes_on_there(home: Path, whole: Path) -> None:
    break_off(home, "moved", WORDS, signal.SIGINT, 200)
    shutil.copytree(home / "runs/moved", home / "elsewhere/moved")
    run("train", *WORDS, "name=moved", "runs=elsewhere", folder=home)
    ours, theirs = weights(home / "elsewhere/moved"), weights(whole)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_new_run_begins_with_the_weights_of_another(home: Path, whole: Path) -> None:
    words = [*WORDS, "stage.images=16", "name=tuned", f"start_from={whole}", "optimizer.lr=0"]
    run("train", *words, "optimizer.plain_lr=0", "optimizer.weight_decay=0", folder=home)
    ours, theirs = weights(home / "runs/tuned"), weights(whole)
    for key in (key for key in theirs if key.startswith("ema.")):
        torch.testing.assert_close(ours[key], theirs[key], atol=1e-6, rtol=1e-6)
    assert int(ours["images_seen"]) == 16
    done = run("train", *WORDS, "name=other", f"start_from={whole}", "network.channels=[16,64]",
               folder=home, expect=1)  # fmt: skip
    assert "has another network" in done.stderr and "Traceback" not in done.stderr
