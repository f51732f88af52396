"""The README on a very small scale: every command, in the order in which a newcomer uses them."""

import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from laptop import SMALL, run
from PIL import Image

from imagen_lit.basics import png_metadata
from imagen_lit.run import checkpoint, metrics, run_folder


def test_a_run_leaves_checkpoints_losses_and_scores(home: Path) -> None:
    folder = home / "runs/demo/base"
    assert run_folder.images_seen(folder) == 192
    rows = metrics.read(folder)
    losses = [row["train/loss"] for row in rows if "train/loss" in row]
    assert losses and all(0 < loss < 3 for loss in losses)
    assert any("val/loss" in row for row in rows)
    assert any("score/alignment_all" in row for row in rows)
    assert [checkpoint.images(file) for file in checkpoint.saved(folder)] == [128, 192]
    facts = png_metadata.read(folder / "preview_000000192.png")
    assert facts["run"] == "runs/demo/base" and facts["images_seen"] == 192
    assert len(facts["prompts"]) == len(facts["seeds"]) == 8


def test_the_same_command_has_nothing_left_to_do(home: Path) -> None:
    for words in (("build_shards", "source.count=120", "per_shard=50"), ("embed_text",)):
        before = {p: p.stat().st_mtime_ns for p in (home / "datasets").rglob("*.[ts]a*")}
        run(*words, folder=home)
        assert before == {p: p.stat().st_mtime_ns for p in before}


def test_prompts_become_images_of_three_sizes(home: Path) -> None:
    done = run(
        "sample",
        'prompts=["a red circle above a blue square","two pink crosses"]',
        "seed=3",
        "cascade.base.recipe.steps=2",
        "cascade.sr.recipe.steps=2",
        "cascade.sr2.recipe.steps=2",
        "diffusion/sampler@cascade.base.recipe.sampler=heun",
        "diffusion/threshold@cascade.sr.recipe.threshold=dynamic",
        "cascade.sr.recipe.aug_level=0.3",
        folder=home,
    )
    assert "a-red-circle-above-a-blue-square_seed3.png" in done.stdout
    for step, edge in (("base", 16), ("sr", 64), ("sr2", 256)):
        files = list((home / "runs/demo/sr2/samples").glob(f"*/{step}/*seed3.png"))
        assert len(files) == 2
        assert {Image.open(file).size for file in files} == {(edge, edge)}


LINE = re.compile(r"(demo/\w+ |log )?[█░]{24} [\d,]+/[\d,]+ [a-z ]+( in \d+:\d\d)?(, [^█░]+)?")
LOGS = {
    "build_shards": (["source.count=60", "per_shard=20", "folder=datasets/log"],
                     "datasets/log: 60 samples"),
    "embed_text": (["shards=datasets/log", "token_budget=256"], "3 new sidecars are in"),
    "train": ([*SMALL, "data.validation=16", "stage.images=64", "name=log", "callbacks=default",
               "+callbacks.progress.every=0"], "the run is in runs/log"),
    "sample": (["prompts=['a red circle','a zebra on snow']", "batch=1", "cascade=demo_base"],
               "a red circle (seed 0): "),
}  # fmt: skip


@pytest.mark.parametrize("command", LOGS)
def test_a_log_of_both_streams_has_whole_lines(home: Path, tmp_path: Path, command: str) -> None:
    words, said = LOGS[command]
    log = tmp_path / "log"
    if command == "embed_text":
        run("build_shards", *LOGS["build_shards"][0], folder=home)
    assert warm.wait(warm.command(command, words, home, log, log)) == 0, log.read_text()
    text = log.read_text()
    assert "\r" not in text and "it/s" not in text and text.endswith("\n")
    lines = text.splitlines()
    assert any(line.startswith(said) for line in lines)
    progress = [line for line in lines if "█" in line or "░" in line]
    assert len(progress) > 1 and all(LINE.fullmatch(line) for line in progress), progress
    assert " in 0:" in progress[-1], "the last line says how long it took"
    if command == "sample":
        assert "warning: the text encoder t5_nano does not know words of prompts: zebra" in text
        assert " base step " in progress[0]


def test_an_evaluation_is_scored_and_repeated_without_drawing(home: Path) -> None:
    fast = ["prompts.count=4", *(f"cascade.{s}.recipe.steps=1" for s in ("base", "sr", "sr2"))]
    run("evaluate", *fast, folder=home)
    folder = home / "runs/demo/evaluation"
    scores = json.loads((folder / "scores.json").read_text())["score/alignment"]
    assert set(scores) == {"base", "sr", "sr2"}
    assert all(0 <= row["exact"] <= 1 and row["interval"][0] <= row["exact"] <= row["interval"][1]
               for categories in scores.values() for row in categories.values())  # fmt: skip
    before = {p: p.stat().st_mtime_ns for p in (folder / "images").rglob("*.png")}
    assert len(before) == 12
    run("evaluate", *fast, folder=home)
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_a_sweep_of_two_points_runs_and_leaves_two_folders(home: Path) -> None:
    run("train", "-m", "+sweep=demo", *SMALL, "data.validation=16", "stage.images=32",
        "trainer.val_check_interval=1000", folder=home)  # fmt: skip
    points = sorted(p.name for p in (home / "runs/sweep/demo").iterdir() if p.is_dir())
    assert points == ["drop-0.0", "drop-0.1"]
    assert all(run_folder.images_seen(home / "runs/sweep/demo" / p) == 32 for p in points)
    lines = run("runs", folder=home).stdout.splitlines()
    (group,) = (number for number, line in enumerate(lines) if line == "runs/sweep/demo")
    listed = sorted(line.split()[:3] for line in lines[group + 1 : group + 3])
    assert listed == [["drop-0.0", "finished", "32/32"], ["drop-0.1", "finished", "32/32"]]
    page = (home / "runs/index.html").read_text()
    assert page.count("<td>stage.<wbr>condition.<wbr>drop</td>") == 2
    sheets = re.findall(r'<img src="(demo/base/preview_[^"]+)"', page)
    assert len(sheets) == 2 and all((home / "runs" / sheet).is_file() for sheet in sheets)


def test_bench_measures_this_machine_and_leaves_nothing_behind(home: Path) -> None:
    before = sorted(home.rglob("*"))
    words = ["data.validation=16", "batches=3", "trainer.accelerator=auto"]
    done = run("bench", *SMALL, *words, folder=home)
    for part in ("images/s", "GFLOP per image", "share of the peak", "GiB"):
        assert part in done.stdout
    share = float(done.stdout.partition("share of the peak")[2].split("%")[0])
    assert 0 < share < 100
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "stage=demo_bse"), "did you mean stage=demo_base?"),
        (("train", "stage.imagess=3"), "did you mean stage.images"),
        (("train", "data.shards=nowhere", "name=lost"), "build_shards folder=nowhere"),
        (
            ("train", "text=t5_nano_random", "name=foreign", "data.validation=16"),
            "pretrain_text documents=0 folder=encoders/t5_nano_random",
        ),
        (("train", "network=demo_efficient_unet", "name=odd"), "Set stage=demo_sr"),
        (("train", "name=demo/base", "seed=1", "data.validation=16"), "Choose another name="),
        (("sample", "cascade.base.run=runs/none"), "Train that stage first"),
        (("sample", "text=t5_nano_random"), "pretrain_text"),
        (("sample", "prompts=[]"), "prompts=[] is not a list of captions"),
        (("sample", "prompts=5"), "prompts=5 is not a list of captions"),
        (("bench", "+experiment=t5_xxl_ablation"), "no shards are named"),
    ],
)
def test_bad_input_gets_one_sentence_that_says_what_to_do(
    home: Path, words: tuple[str, ...], message: str
) -> None:
    done = run(*words, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and message in lines[0], done.stderr
    assert "Traceback" not in done.stderr


def with_damage(home: Path, name: str, damage: Callable[[bytes], bytes]) -> list[str]:
    """The overrides that read a copy of the shards whose first tar was damaged."""
    for suffix in ("", ".text"):
        shutil.copytree(home / f"datasets/demo{suffix}", home / f"datasets/{name}{suffix}")
    tar = min((home / f"datasets/{name}").glob("*.tar"))
    tar.write_bytes(damage(tar.read_bytes()))
    words = [*SMALL, "data.validation=16", "stage.images=160", "callbacks=default", f"name={name}"]
    return [*words, f"data.shards=datasets/{name}"]


def test_a_tar_cut_short_is_named_before_anything_is_learnt(home: Path) -> None:
    words = with_damage(home, "cut", lambda tar: tar[: len(tar) // 2])
    done = run("train", *words, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and "datasets/cut/" in lines[0], done.stderr
    assert not checkpoint.saved(home / "runs/cut")


def test_an_image_cut_short_is_replaced_and_counted(home: Path) -> None:
    def damage(tar: bytes) -> bytes:
        """Every tenth image loses its second half."""
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

    words = with_damage(home, "blot", damage)
    done = run("train", *words, folder=home)
    assert "another sample took its place (1 so far)" in done.stderr
    assert run_folder.images_seen(home / "runs/blot") == 160


def test_damaged_checkpoints_are_named_and_not_overwritten(home: Path) -> None:
    words = [*SMALL, "data.validation=16", "stage.images=32", "callbacks=default", "name=torn"]
    words += ["trainer.val_check_interval=1000"]
    run("train", *words, folder=home)
    (file,) = checkpoint.saved(home / "runs/torn")
    torn = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(torn)
    done = run("train", *words, "stage.images=64", folder=home, expect=1)
    assert "damaged" in done.stderr and "Traceback" not in done.stderr
    assert file.read_bytes() == torn


def test_a_full_disk_is_reported_in_one_sentence_and_costs_no_file(home: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("this test needs Linux, where /dev/full is a disk that is always full")
    words = [*SMALL, "data.validation=16", "callbacks=default", "name=full"]
    run("train", *words, "stage.images=64", folder=home)
    folder = home / "runs/full"
    before = {file: file.read_bytes() for file in checkpoint.saved(folder)}
    (folder / "metrics.jsonl").unlink()
    os.symlink(full, folder / "metrics.jsonl")
    done = run("train", *words, "stage.images=960", folder=home, expect=1)
    assert "error: the disk is full" in done.stderr and "Traceback" not in done.stderr
    assert before and all(file.read_bytes() == content for file, content in before.items())
