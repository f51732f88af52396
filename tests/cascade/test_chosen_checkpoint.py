"""Any checkpoint that a run has kept draws; without a choice it is the newest."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_run import FINGERPRINT, Encoder, leave_run

from imagen_lit.basics import png_metadata
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.evaluation import evaluate
from imagen_lit.cli import config
from imagen_lit.data.prompts.shapes import HeldOutPrompts
from imagen_lit.evaluate import request
from imagen_lit.run import checkpoint, provenance

FAST = ["cascade=demo_base", "cascade.base.recipe.steps=1"]
CIRCLE = ("a red circle", 0)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for images in (64, 128):
        leave_run(tmp_path, "base", images, seed=images)
    return tmp_path


def draw(runs: Path, *words: str) -> tuple[dict[str, Any], Path]:
    """The provenance of a picture, and its file."""
    cfg = config.compose("sample", [f"runs={runs}", *FAST, *words]).cascade
    cascade: Cascade = config.build(cfg)
    cascade.check(FINGERPRINT)
    recipes = {"base": {"recipe": {"steps": 1}}}
    source = provenance.describe(cascade.weights, FINGERPRINT, {"cascade": recipes})
    folder = runs / provenance.digest(source)
    list(image_files.draw(cascade, Encoder(), source, [CIRCLE], folder, DrawingPass(1, 9)))
    return source, image_files.paths(cascade, folder, *CIRCLE)["base"]


def test_a_picture_of_earlier_weights_is_theirs_and_says_so(runs: Path) -> None:
    (newest, new), (earlier, old) = draw(runs), draw(runs, "cascade.base.images=64")
    assert newest["weights"]["base"]["images_seen"] == 128
    assert earlier["weights"]["base"]["images_seen"] == 64
    assert new.parent != old.parent and new.read_bytes() != old.read_bytes()
    assert png_metadata.read(old)["cascade"]["base"]["images_seen"] == 64
    checkpoint.path(runs / "demo/base", 128).unlink()
    assert draw(runs)[1] == old, "then the newest is the one that was chosen"


@pytest.mark.parametrize("images", [65, 0, -1])
def test_a_checkpoint_that_is_not_there_is_refused_with_those_that_are(
    runs: Path, images: int
) -> None:
    words = rf"cascade\.base\.images={images}: .* It has: 64, 128\. Set one of them, or .*null"
    with pytest.raises(ValueError, match=words):
        draw(runs, f"cascade.base.images={images}")


def test_a_damaged_checkpoint_that_was_chosen_is_not_replaced_by_another(runs: Path) -> None:
    checkpoint.path(runs / "demo/base", 64).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"64\.ckpt is damaged .*another one of that run"):
        draw(runs, "cascade.base.images=64")


def test_the_evaluations_of_two_checkpoints_keep_their_scores(runs: Path) -> None:
    def run(*words: str) -> dict[str, Any]:
        cfg = config.compose("evaluate", [*FAST, f"runs={runs}", *words])
        cascade, prompts, folder = config.build(cfg.cascade), HeldOutPrompts(2, 0), runs / "scores"
        return evaluate(cascade, Encoder(), prompts, folder, 2, request(cfg), lambda *_: None)

    run()
    first = (runs / "scores/scores.json").read_bytes()
    scores = run("cascade.base.images=64")
    assert scores["provenance"]["weights"]["base"]["images_seen"] == 64
    (before,) = (runs / "scores").glob("scores_*.json")
    assert before.read_bytes() == first
    assert json.loads(first)["provenance"]["weights"]["base"]["images_seen"] == 128
