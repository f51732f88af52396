"""The paper's ablation: its estimate, what is missing for it, and how a laptop runs it."""

import json
from pathlib import Path

import pytest
import small_sweeps
from laptop import SMALL as TINY
from laptop import run

from imagen_lit.ablation import definition, preparation
from imagen_lit.ablation.plan import plan
from imagen_lit.cli import config
from imagen_lit.run import run_folder

EXPERIMENT = "+experiment=t5_xxl_ablation"
SMALL = [*TINY, "data.validation=16", "trainer.val_check_interval=1000", "stage.images=48"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few shards, two encoders of different sizes, the text of both, and the
    experiment run at the demo's scale; its output is in `train.out`."""
    home = tmp_path_factory.mktemp("ablation")
    small_sweeps.write(home)
    run("build_shards", "source.count=60", "per_shard=30", folder=home)
    encoders = "text=t5_nano,t5_nano_16"
    run("pretrain_text", "-m", encoders, "documents=64", folder=home)
    run("embed_text", "-m", encoders, folder=home)
    done = run("train", EXPERIMENT, "scale=demo", *SMALL, folder=home)
    (home / "train.out").write_text(done.stdout)
    return home


def test_the_experiment_prints_its_estimate_and_what_is_missing(tmp_path: Path) -> None:
    done = run("train", EXPERIMENT, folder=tmp_path, expect=1)
    assert len(done.stdout.splitlines()) <= 25 and "Traceback" not in done.stderr
    for part in (
        "309,435,267 parameters",
        "FLOP per image",
        "819,200,000 images in 400,000 updates of 2,048",
        "GiB on one device with micro-batches of 2,048",
        "with data.micro_batch_size=32",
        "imagen_lit.bench",
        "163.8 kB per caption",
        "All encoders: python -m imagen_lit.ablate text_encoder scale=paper",
    ):
        assert part in done.stdout
    order = ["build_shards", "hf download google/t5-v1_1-xxl", "embed_text shards"]
    offsets = [done.stdout.index(command) for command in order]
    assert offsets == sorted(offsets)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "build_shards" in line
    assert not list(tmp_path.rglob("config.yaml")), "a run that cannot begin claims no folder"


def test_a_laptop_runs_the_experiment_and_does_not_call_it_t5_xxl(home: Path) -> None:
    output = (home / "train.out").read_text()
    assert "scale=demo" in output and "not the paper's" in output
    assert "All encoders: python -m imagen_lit.ablate text_encoder\n" in output
    folder = home / "runs/ablation/demo/base/seed-0"
    assert run_folder.images_seen(folder) == 48
    assert run_folder.read_config(folder).text.name == "t5_nano"


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_the_experiment_is_a_training_of_the_ablation(scale: str) -> None:
    """In the folder of its cell, with the checkpoints that the figures draw."""
    own = definition.read("text_encoder", scale, {"seeds": [0]})
    made = plan(own, "runs", preparation.differs, lambda *_: [], preparation.setting)
    for cell in made.of("train"):
        words = [EXPERIMENT, f"scale={scale}", f"text={cell.settings['text']}"]
        cfg = config.compose("train", words)
        assert cfg.name == cell.name
        assert cfg.callbacks.checkpoint.keep_at == cell.settings["callbacks.checkpoint.keep_at"]
        assert cfg.text.dtype == "float32"


def test_a_dry_run_writes_nothing_and_knows_the_hours_after_a_bench(home: Path) -> None:
    words = [EXPERIMENT, "scale=demo", *SMALL, "name=idea"]
    run("bench", *words, "batches=2", "save=true", folder=home)
    before = {p for p in home.rglob("*") if p.is_file()}
    done = run("train", *words, "dry_run=true", folder=home)
    assert "GB for 60" in done.stdout and "missing" not in done.stdout
    assert "images/s that bench measured" in done.stdout
    assert {p for p in home.rglob("*") if p.is_file()} == before


def test_a_sweep_over_encoders_leaves_a_run_for_each_once(home: Path) -> None:
    words = ["-m", "+sweep=encoders", "text=t5_nano,t5_nano_16", *SMALL]
    run("train", *words, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", folder=home)
    points = home / "runs/sweep/encoders"
    assert {p.name for p in points.iterdir() if p.is_dir()} == {"t5_nano", "t5_nano_16"}
    assert all(run_folder.images_seen(p) == 48 for p in points.iterdir() if p.is_dir())
    assert run("train", *words, folder=home).stdout.count("nothing to do") == 2


def test_guidance_and_thresholds_are_evaluated_and_drawn_once(home: Path) -> None:
    words = ["-m", "+sweep=guidance", "weight=1,1.25", "threshold=static,dynamic"]
    words += ["prompts.count=2", "cascade.base.recipe.steps=2"]
    words += ["cascade.base.run=runs/ablation/demo/base/seed-0"]
    run("evaluate", *words, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", folder=home)
    points = home / "runs/sweep/guidance"
    scores = {p.parent.name: json.loads(p.read_text()) for p in points.rglob("scores.json")}
    assert set(scores) == {
        f"weight-{w}_threshold-{t}" for w in ("1", "1.25") for t in ("static", "dynamic")
    }
    for name, point in scores.items():
        recipe = point["provenance"]["cascade"]["base"]["recipe"]
        weight, threshold = recipe["guidance"]["weight"], recipe["threshold"]["_target_"]
        assert name == f"weight-{weight}_threshold-{threshold.rpartition('.')[2]}"
    before = {p: p.stat().st_mtime_ns for p in points.rglob("images/**/*.png")}
    assert len(before) == 8
    run("evaluate", *words, folder=home)
    assert before == {p: p.stat().st_mtime_ns for p in points.rglob("images/**/*.png")}
