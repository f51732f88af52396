"""The README, walked through on a very small scale: every door, in the order in which a newcomer
opens them."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from imagen_lit import run_folder

SMALL = [
    "network.channels=[16,32,32]",
    "network.blocks=[1,1,1]",
    "network.head_width=16",
    "data.batch_size=16",
    "trainer.val_check_interval=8",
]


def run(door: str, *words: str, folder: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", f"imagen_lit.{door}", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == expect, done.stderr[-3000:]
    return done


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, shards, sidecars and three barely trained stages."""
    home = tmp_path_factory.mktemp("laptop")
    run("pretrain_text", "documents=320", folder=home)
    run("build_shards", "source.count=120", "per_shard=50", folder=home)
    run("embed_text", folder=home)
    small = ["data.validation=16", "stage.images=192", "callbacks.checkpoint.every=64"]
    preview = ["callbacks.preview.every=96", "callbacks.preview.examiner.count=8"]
    preview += ["callbacks.preview.recipe.steps=2"]
    run("train", *SMALL, *small, *preview, folder=home)
    for stage in ("demo_sr", "demo_sr2"):
        run("train", f"stage={stage}", *small[:1], "stage.images=64", folder=home)
    return home


def test_a_run_leaves_its_settings_its_state_and_its_numbers(home: Path) -> None:
    folder = home / "runs/demo/base"
    assert run_folder.images_seen(folder) == 192
    rows = run_folder.metrics(folder)
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses and all(0 < loss < 3 for loss in losses)
    assert any("val/loss" in row for row in rows)
    assert any("score/alignment_all" in row for row in rows)
    torch.load(folder / "last.ckpt", weights_only=True)


def test_the_same_command_finds_nothing_left_to_do(home: Path) -> None:
    for words in (("build_shards", "source.count=120", "per_shard=50"), ("embed_text",)):
        before = {p: p.stat().st_mtime_ns for p in (home / "datasets").rglob("*.[ts]a*")}
        run(*words, folder=home)
        assert before == {p: p.stat().st_mtime_ns for p in before}


def test_prompts_become_pictures_of_three_sizes(home: Path) -> None:
    done = run(
        "sample",
        'prompts=["a red circle above a blue square","two pink crosses"]',
        "seed=3",
        "cascade.base.recipe.steps=2",
        "cascade.sr.recipe.steps=2",
        "cascade.sr2.recipe.steps=2",
        "diffusion/sampler@cascade.base.recipe.sampler=heun",
        "diffusion/threshold@cascade.sr.recipe.threshold=dynamic",
        "cascade.sr.recipe.level=0.3",
        folder=home,
    )
    assert "a-red-circle-above-a-blue-square_seed3.png" in done.stdout
    for step, edge in (("base", 16), ("sr", 64), ("sr2", 256)):
        files = list((home / "runs/demo/pictures" / step).glob("*seed3.png"))
        assert len(files) == 2
        assert {Image.open(file).size for file in files} == {(edge, edge)}


def test_an_examination_is_scored_kept_and_repeated_without_drawing(home: Path) -> None:
    fast = ["examiner.count=4", *(f"cascade.{s}.recipe.steps=1" for s in ("base", "sr", "sr2"))]
    run("evaluate", *fast, folder=home)
    folder = home / "runs/demo/evaluation"
    scores = json.loads((folder / "scores.json").read_text())["score/alignment"]
    assert set(scores) == {"base", "sr", "sr2"}
    assert all(0 <= row["exact"] <= 1 and row["interval"][0] <= row["exact"] <= row["interval"][1]
               for categories in scores.values() for row in categories.values())  # fmt: skip
    before = {p: p.stat().st_mtime_ns for p in (folder / "pictures").rglob("*.png")}
    assert len(before) == 12
    run("evaluate", *fast, folder=home)
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_been(home: Path) -> None:
    words = [*SMALL, "data.validation=16", "stage.images=480", "callbacks=default"]
    words += ["trainer.val_check_interval=1000"]
    run("train", *words, "name=whole", folder=home)
    command = [sys.executable, "-m", "imagen_lit.train", *words, "name=broken"]
    broken = subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True)
    journal = home / "runs/broken/metrics.jsonl"
    while not journal.exists() and broken.poll() is None:
        time.sleep(0.05)
    broken.send_signal(signal.SIGINT)
    _, said = broken.communicate(timeout=120)
    assert broken.returncode == 130, said
    assert "type the same command" in said
    seen = run_folder.images_seen(home / "runs/broken")
    assert 0 < seen < 480
    run("train", *words, "name=broken", folder=home)
    whole, again = (
        torch.load(home / f"runs/{name}/last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_a_sweep_of_two_points_runs_and_leaves_two_folders(home: Path) -> None:
    run("train", "-m", "+sweep=demo", *SMALL, "data.validation=16", "stage.images=32",
        "trainer.val_check_interval=1000", folder=home)  # fmt: skip
    points = sorted(p.name for p in (home / "runs/sweep/demo").iterdir() if p.is_dir())
    assert points == ["drop-0.0", "drop-0.1"]
    assert all(run_folder.images_seen(home / "runs/sweep/demo" / p) == 32 for p in points)


def test_the_speed_of_this_machine_is_measured_and_nothing_is_left_behind(home: Path) -> None:
    before = sorted(home.rglob("*"))
    done = run("bench", *SMALL, "data.validation=16", "batches=3", folder=home)
    for said in ("images/s", "GFLOP an image", "share of the peak", "GiB"):
        assert said in done.stdout
    share = float(done.stdout.partition("share of the peak")[2].split("%")[0])
    assert 0 < share < 100
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "stage=demo_bse"), "demo_base"),
        (("train", "stage.imagess=3"), "images"),
        (("train", "data.shards=nowhere", "name=lost"), "nowhere"),
        (
            ("train", "text=t5_nano_random", "name=foreign", "data.validation=16"),
            "t5_nano_random",
        ),
        (("train", "seed=1", "data.validation=16"), "name="),
        (("sample", "cascade.base.run=runs/none"), "runs/none"),
        (("sample", "text=t5_nano_random"), "pretrain_text"),
        (("sample", "prompts=[]"), "prompts"),
    ],
)
def test_bad_input_gets_one_sentence_that_says_what_to_do(
    home: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(*words, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and said in lines[0], done.stderr
    assert "Traceback" not in done.stderr


def damaged(home: Path, name: str, damage: Callable[[bytes], bytes]) -> list[str]:
    """The overrides that read a copy of the shards whose first tar was damaged."""
    for kind in ("", ".text"):
        shutil.copytree(home / f"datasets/demo{kind}", home / f"datasets/{name}{kind}")
    tar = min((home / f"datasets/{name}").glob("*.tar"))
    tar.write_bytes(damage(tar.read_bytes()))
    words = [*SMALL, "data.validation=16", "stage.images=160", "callbacks=default", f"name={name}"]
    return [*words, f"data.shards=datasets/{name}"]


def test_a_tar_cut_short_is_named_before_anything_is_learnt(home: Path) -> None:
    words = damaged(home, "cut", lambda tar: tar[: len(tar) // 2])
    done = run("train", *words, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "datasets/cut/" in lines[0], done.stderr
    assert not (home / "runs/cut/last.ckpt").exists()


def test_a_picture_cut_short_is_replaced_and_counted(home: Path) -> None:
    def damage(tar: bytes) -> bytes:
        """Every tenth picture loses its second half."""
        target = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(tar)) as old,
            tarfile.open(fileobj=target, mode="w") as new,
        ):
            for number, member in enumerate(old):
                data = old.extractfile(member).read()
                if member.name.endswith(".jpg") and number % 30 < 3:
                    data = data[: len(data) // 2]
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        return target.getvalue()

    words = damaged(home, "blot", damage)
    done = run("train", *words, folder=home)
    assert "another sample took its place (1 so far)" in done.stderr
    assert run_folder.images_seen(home / "runs/blot") == 160


def test_a_damaged_checkpoint_is_named_and_not_overwritten(home: Path) -> None:
    words = [*SMALL, "data.validation=16", "stage.images=32", "callbacks=default", "name=torn"]
    words += ["trainer.val_check_interval=1000"]
    run("train", *words, folder=home)
    file = home / "runs/torn/last.ckpt"
    torn = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(torn)
    done = run("train", *words, "stage.images=64", folder=home, expect=1)
    assert "damaged" in done.stderr and "Traceback" not in done.stderr
    assert file.read_bytes() == torn


def test_a_full_disk_is_said_in_one_sentence_and_costs_nothing_made(home: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("this test needs Linux, where /dev/full is a disk that is always full")
    folder = home / "runs/full"
    folder.mkdir(parents=True)
    os.symlink(full, folder / "metrics.jsonl")
    words = [*SMALL, "data.validation=16", "stage.images=320", "callbacks=default", "name=full"]
    done = run("train", *words, folder=home, expect=1)
    assert "full" in done.stderr and "Traceback" not in done.stderr
