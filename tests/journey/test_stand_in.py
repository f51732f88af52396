"""Every command on a machine with an accelerator (tests/helpers/stand_in.py): nothing mixes
devices, a step that logs nothing leaves the host nothing to read, and what comes out is what
comes out of a CPU.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from laptop import SMALL, run
from on_stand_in import TRAINER, UPDATE
from on_stand_in import run as run_on_accelerator

from imagen_lit.basics import pixels
from imagen_lit.data import sidecar
from imagen_lit.measurement.step_parts import PARTS
from imagen_lit.run import checkpoint, metrics

QUIET = ["callbacks=default", "trainer.log_every_n_steps=1000", "trainer.val_check_interval=1000"]
TRAIN = [*SMALL, "data.batch_size=8", "data.validation=16", "callbacks.checkpoint.every=1_000_000"]


def newest(folder: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read(checkpoint.saved(folder)[-1])["state_dict"]


def assert_same_weights(one: Path, other: Path) -> None:
    here, there = newest(one), newest(other)
    assert here.keys() == there.keys()
    for name, weight in here.items():
        assert torch.allclose(weight, there[name], rtol=1e-4, atol=1e-5), name


def pictures(folder: Path) -> dict[str, Path]:
    """By their paths, without the digests of what drew them."""
    files = sorted(folder.rglob("*_seed*.png"))
    return {re.sub("[0-9a-f]{12}", "", str(file.relative_to(folder))): file for file in files}


def assert_same_picture(one: Path, other: Path) -> None:
    """To a grey level, the rounding of a number near its middle."""
    here, there = (pixels.load_png(file).astype(int) for file in (one, other))
    assert np.abs(here - there).max() <= 1, one


def after_the_first_and_before_the_last_update(reads: list[str]) -> list[str]:
    """The first is shown, and the last is logged; the last read of an update ends it."""
    ends = [number for number, place in enumerate(reads) if place == UPDATE]
    assert len(ends) == 4
    return [place for place in reads[ends[1] : ends[2]] if place != UPDATE]


CASES = {
    "muon": [],
    "adam": ["optimizer=adam"],
    "adafactor": ["optimizer=adafactor", "network.checkpointing=true"],
    "adamw": ["optimizer=adamw", "data.micro_batch_size=4"],
    "efficient": ["stage=demo_sr"],
    "learned": ["stage/null_text@stage.condition.null_text=learned"],
    "encoded": ["stage/null_text@stage.condition.null_text=encoded"],
    "blur": ["stage=demo_sr", "stage/augmentation@stage.condition.augmentation=blur"],
}


@pytest.mark.parametrize("case", CASES)
def test_a_step_that_logs_nothing_reads_nothing(home: Path, case: str) -> None:
    small = [
        word
        for word in TRAIN
        if "stage=demo_sr" not in CASES[case] or not word.startswith("network.")
    ]
    both = [*small, *QUIET, *CASES[case], "stage.images=32"]
    run("train", *both, "device=cpu", f"name=cpu/{case}", folder=home)
    reads, _ = run_on_accelerator("train", *both, *TRAINER, f"name=lab/{case}", folder=home)
    assert after_the_first_and_before_the_last_update(reads) == []
    assert_same_weights(home / "runs/cpu" / case, home / "runs/lab" / case)


def test_a_run_with_previews_validation_and_health_goes_on_where_it_was(home: Path) -> None:
    words = [*TRAIN, "prompts.count=4", "callbacks.preview.every=16", "trainer.log_every_n_steps=1"]
    words += ["callbacks.preview.recipe.steps=2", "callbacks.checkpoint.every=16"]
    words += ["trainer.val_check_interval=2", "callbacks.health.after=0"]
    for images in (16, 32):
        run_on_accelerator(
            "train", *words, *TRAINER, f"stage.images={images}", "name=lab/all", folder=home
        )
    run("train", *words, "stage.images=32", "device=cpu", "name=cpu/all", folder=home)
    here, there = (metrics.read(home / "runs" / name / "all") for name in ("lab", "cpu"))
    validated = [[row["images"] for row in rows if "val/loss" in row] for rows in (here, there)]
    assert validated[0] == validated[1] != []
    assert any("health/ema_lag" in row for row in here)
    assert (home / "runs/lab/all/preview_000000032.png").is_file()


def test_text_is_embedded_as_on_a_cpu(home: Path) -> None:
    run_on_accelerator("embed_text", "folder=lab", folder=home)
    for file in sorted((home / "datasets/demo.text/t5_nano").glob("*.safetensors")):
        one, other = sidecar.Sidecar(file), sidecar.Sidecar(home / "lab" / file.name)
        for row in range(len(one)):
            assert torch.allclose(one.row(row), other.row(row), atol=0.02)


def test_a_cascade_draws_the_cpus_pictures_and_no_step_reads(home: Path) -> None:
    words = ["prompts=[a red circle, two pink crosses]"]
    words += [f"cascade.{stage}.recipe.steps=3" for stage in ("base", "sr", "sr2")]
    words += ["diffusion/sampler@cascade.base.recipe.sampler=ancestral"]
    words += ["diffusion/guidance@cascade.base.recipe.guidance=interval"]
    words += ["diffusion/spacing@cascade.sr.recipe.spacing=logsnr"]
    run("sample", *words, "device=cpu", "out=cpu", folder=home)
    reads, _ = run_on_accelerator("sample", *words, "out=lab", folder=home)
    hits = [each for each in reads if "stage/threshold_hits.py" in each]  # once all is drawn
    places = [each for each in reads if "diffusion/" in each or "stage/" in each]
    assert places == hits and len(hits) <= 3
    weights = [each for each in reads if "trained_stage.py" in each or "model.eval()" in each]
    rest = [each for each in reads if each not in hits + weights]
    assert len(rest) <= 3 + 4 * 2, "an image of each stage; of a text two each way"
    for file in (home / "cpu").glob("*/*.png"):
        assert_same_picture(file, home / "lab" / file.parent.name / file.name)


def test_an_evaluation_and_the_bench_run_there(home: Path) -> None:
    words = [f"cascade.{stage}.recipe.steps=1" for stage in ("base", "sr", "sr2")]
    _, done = run_on_accelerator(
        "evaluate", *words, "prompts.count=4", "name=lab/evaluation", folder=home
    )
    assert re.search(r"^sr2 +exact ", done.stdout, re.MULTILINE)
    words = [*TRAIN, *TRAINER, "batches=3", "json=bench.json"]
    _, done = run_on_accelerator("bench", *words, folder=home)
    assert "GiB at most, of the process" in done.stdout, "torch counts only CUDA's own memory"
    measured = json.loads((home / "bench.json").read_text())
    assert {"data", "noise", *PARTS} == measured["parts"].keys()
    assert min(measured["parts"].values()) > 0 and measured["images_per_second"] > 0
    assert measured["drawing"].keys() == {"1", "16"} and min(measured["drawing"].values()) > 0
    assert measured["host_reads"] is measured["launches"] is None
    assert done.stdout.count("not measured; only CUDA counts them") == 2


@pytest.mark.slow
def test_a_demo_with_hardly_any_time_makes_what_it_makes_on_a_cpu(tmp_path: Path) -> None:
    """Its encoder, its three stages with one update each, its pictures and its page."""
    words = ["minutes=0.01", "scenes=300", "documents=64", "prompts=1", "guidance_weights=[3]"]
    images = {"demo_base": 32, "demo_sr": 8, "demo_sr2": 8}  # so the CPU need not try its speed
    for place, run_there, decided in (("cpu", run, images), ("lab", run_on_accelerator, {})):
        record = {"minutes": 0.01, "images": decided, "seconds": {}, "starts": []}
        home = tmp_path / place / "runs/demo"
        home.mkdir(parents=True)
        (home / "budget.json").write_text(json.dumps(record | {"precision": "32-true"}))
        run_there("demo", *words, folder=tmp_path / place)
        assert json.loads((home / "budget.json").read_text())["images"] == images
        assert (home / "index.html").is_file()
    here, there = (tmp_path / place / "runs/demo" for place in ("lab", "cpu"))
    for stage in ("base", "sr", "sr2"):
        assert_same_weights(there / stage, here / stage)
    ours, theirs = pictures(here), pictures(there)
    assert ours.keys() == theirs.keys() and len(ours) == 3 * (1 + 2), "two are of guidance"
    for name, file in theirs.items():
        assert_same_picture(file, ours[name])


def test_a_check_of_the_machine_finds_the_stand_in_right(home: Path) -> None:
    words = [f"train={json.dumps(TRAINER)}", "json=check.json"]
    _, done = run_on_accelerator("gpu_check", *words, folder=home)
    report = json.loads((home / "check.json").read_text())
    verdicts = {each["check"]: each["verdict"] for each in report["findings"]}
    small = {name for name in verdicts if "tiny: " in name and "compiled" not in name}
    assert len(small) == 9 and {verdicts[name] for name in small} == {"ok"}
    assert verdicts["exact resume"] == verdicts["matrix products"] == "ok"
    assert {verdicts[name] for name in verdicts if "real" in name} == {"skipped"}
    assert done.stdout.count("no accelerator") == 7 and "wrong" not in done.stdout
