"""An image's file says what drew it, well enough to draw it again, and is never replaced."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from tiny_run import FINGERPRINT, Encoder, leave_run

import imagen_lit
from imagen_lit.basics import pixels, png_metadata
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cli import config
from imagen_lit.run import provenance, run_folder
from imagen_lit.stage.condition import Condition

FAST = ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1", "~cascade.sr2"]
REQUESTS = [("a red circle", 0), ("красный круг", 3), ("", 3)]


def described(runs: Path, *words: str) -> tuple[Cascade, dict[str, Any]]:
    """The cascade, and what `draw` says about it."""
    cfg = config.compose("sample", [f"runs={runs}", *FAST, *words]).cascade
    settings = OmegaConf.to_container(cfg, resolve=True)
    cascade: Cascade = config.build(cfg)
    return cascade, provenance.describe(cascade.weights, FINGERPRINT, {"cascade": settings})


def draw(runs: Path, folder: Path, *words: str, batch: int = 8, requests: Any = REQUESTS) -> None:
    cascade, source = described(runs, *words)
    to_draw = image_files.missing(cascade, source, requests, folder)
    shape = DrawingPass.of(Encoder(), [prompt for prompt, _ in requests], batch)
    list(image_files.draw(cascade, Encoder(), source, to_draw, folder, shape))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    leave_run(runs, "base", images=64)
    leave_run(runs, "sr", images=128)
    return runs


def test_an_image_says_what_drew_it(runs: Path, tmp_path: Path) -> None:
    draw(runs, tmp_path, "cascade.base.recipe.guidance.weight=5")
    cascade, _ = described(runs)
    for (prompt, seed), (stage, size) in itertools.product(REQUESTS, (("base", 16), ("sr", 64))):
        file = image_files.paths(cascade, tmp_path, prompt, seed)[stage]
        facts = png_metadata.read(file)
        assert (facts["prompt"], facts["seed"], facts["stage"]) == (prompt, seed, stage)
        assert list(facts["cascade"]) == ["base", "sr"][: 1 + (stage == "sr")]
        last = facts["cascade"][stage]
        assert last["run"] == str(cascade.runs[stage]) and last["size"] == size
        weights = run_folder.weights(cascade.runs[stage])
        assert {key: last[key] for key in weights} == weights
        base = facts["cascade"]["base"]["recipe"]
        assert base["guidance"]["weight"] == 5 and base["steps"] == 2
        assert config.build(base).guidance.weight == 5
        assert facts["text"] == FINGERPRINT
        assert facts["versions"] == {
            "imagen_lit": imagen_lit.__version__,
            "torch": str(torch.__version__),
        }
        with Image.open(file) as image:
            assert image.size == (size, size) and image.info["Description"] == prompt


def test_runs_that_are_still_to_be_trained_have_no_weights(tmp_path: Path) -> None:
    """The demo asks before its first stage."""
    source = run_folder.weights(tmp_path / "base")
    assert source == {"images_seen": 0, "digest": None, "settings": None}


def test_the_same_request_writes_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(runs, tmp_path / name)
    assert len(contents(tmp_path / "one")) == 6
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_image_is_drawn_again_from_its_own_metadata_alone(runs: Path, tmp_path: Path) -> None:
    draw(runs, tmp_path / "first", "cascade.base.recipe.guidance.weight=2", batch=1)
    before = contents(tmp_path / "first")
    for name, content in before.items():
        facts = png_metadata.read(tmp_path / "first" / name)
        package = "imagen_lit.cascade"
        stages = {
            stage: {"_target_": f"{package}.trained_stage.TrainedStage"}
            | {k: known[k] for k in ("run", "recipe")}
            for stage, known in facts["cascade"].items()
        }
        cascade: Cascade = config.build({"_target_": f"{package}.cascade.Cascade", **stages})
        source = provenance.describe(cascade.weights, facts["text"], {"cascade": stages})
        request, folder = (facts["prompt"], facts["seed"]), tmp_path / "again"
        to_draw = image_files.missing(cascade, source, [request], folder)
        list(image_files.draw(cascade, Encoder(), source, to_draw, folder, DrawingPass(1, 9)))
        assert (folder / name).read_bytes() == content
    assert before.keys() == contents(tmp_path / "again").keys()


OTHERS = {
    "recipe": "cascade.base.recipe.steps=3",
    "later recipe": "cascade.sr.recipe.aug_level=0.2",
    "sampler": "diffusion/sampler@cascade.base.recipe.sampler=heun",
    "weights": "cascade.base.run={other}/demo/base",
    "none": "seed=0",
}


@pytest.mark.parametrize("one", OTHERS)
def test_an_image_is_never_replaced_by_one_drawn_otherwise(
    runs: Path, tmp_path: Path, one: str
) -> None:
    leave_run(tmp_path, "base", images=192, seed=1)
    words = {name: word.format(other=tmp_path) for name, word in OTHERS.items()}
    folder = tmp_path / "mine"
    draw(runs, folder, words.pop(one), requests=REQUESTS[:1])
    before = contents(folder)
    for other in words.values():
        with pytest.raises(ValueError, match=r" there, .* here.*Choose another folder with out="):
            draw(runs, folder, other, requests=REQUESTS)
        assert contents(folder) == before, "refused before anything is drawn"


def test_a_refusal_names_what_differs(runs: Path, tmp_path: Path) -> None:
    draw(runs, tmp_path)
    with pytest.raises(ValueError, match=r"cascade\.base\.recipe\.steps is 2 there, 5 here\)"):
        draw(runs, tmp_path, "cascade.base.recipe.steps=5")
    leave_run(tmp_path, "base", images=192, seed=1)
    with pytest.raises(ValueError, match=r"cascade\.base\.images_seen is 64 there, 192 here"):
        draw(runs, tmp_path, f"cascade.base.run={tmp_path}/demo/base")


@pytest.mark.parametrize(
    ("before", "after"), [("schedule.Cosine", "schedule.Linear"), ("Velocity", "Epsilon")]
)
def test_a_run_whose_settings_were_edited_draws_other_images(
    tmp_path: Path, before: str, after: str
) -> None:
    folder = leave_run(tmp_path, "base", images=64)
    leave_run(tmp_path, "sr", images=128)
    draw(tmp_path, tmp_path / "mine", requests=REQUESTS[:1])
    digest = provenance.digest(described(tmp_path)[1])
    settings = (folder / "config.yaml").read_text()
    assert before in settings
    (folder / "config.yaml").write_text(settings.replace(before, after))
    assert provenance.digest(described(tmp_path)[1]) != digest
    with pytest.raises(ValueError, match=r"cascade\.base\.settings is .* there, .* here"):
        draw(tmp_path, tmp_path / "mine", requests=REQUESTS)
    (folder / "config.yaml").write_text(
        settings.replace("checkpointing: false", "checkpointing: true")
    )
    assert provenance.digest(described(tmp_path)[1]) == digest, "the same images, with less memory"


def test_an_image_that_does_not_say_what_drew_it_stays(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "sr" / "a-red-circle_seed0.png"
    for facts in ({}, {png_metadata.KEY: "no JSON"}, {png_metadata.KEY: "[]"}):
        pixels.save_png(Image.new("RGB", (8, 8)), file, facts)
        before = file.read_bytes()
        with pytest.raises(ValueError, match=r"does not say what drew it.*remove that file"):
            draw(runs, tmp_path)
        assert contents(tmp_path) == {"sr/a-red-circle_seed0.png": before}


def test_what_is_missing_is_drawn_beside_what_is_there(runs: Path, tmp_path: Path) -> None:
    draw(runs, tmp_path)
    before = contents(tmp_path)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}
    (lost, *_) = sorted((tmp_path / "sr").iterdir())
    lost.unlink()
    draw(runs, tmp_path)
    assert contents(tmp_path).keys() == before.keys()
    assert all(p.stat().st_mtime_ns == time for p, time in times.items() if p != lost)


def test_a_run_that_moved_still_draws_the_same_image(runs: Path, tmp_path: Path) -> None:
    draw(runs, tmp_path / "mine")
    (tmp_path / "elsewhere").symlink_to(runs)
    draw(tmp_path / "elsewhere", tmp_path / "mine")


def test_an_empty_prompt_is_drawn_without_text_whatever_the_guidance(
    runs: Path, tmp_path: Path
) -> None:
    cascade, _ = described(runs)
    captions = Condition(*Encoder().encode(["a red circle", "a blue square"]))
    null = {name: pixels.to_array(x) for name, x in cascade.draw(captions.without_text(), [3, 4])}
    other = {name: pixels.to_array(x) for name, x in cascade.draw(captions, [3, 4])}
    requests = [("a red circle", 0), ("", 3), ("", 4)]
    for weight in (1, 8):
        folder = tmp_path / str(weight)
        draw(runs, folder, f"cascade.base.recipe.guidance.weight={weight}", requests=requests)
        for number, seed in enumerate((3, 4)):
            for stage, file in image_files.paths(cascade, folder, "", seed).items():
                drawn = pixels.load_png(file).astype(int)
                assert abs(drawn - null[stage][number]).max() <= 1
                assert abs(drawn - other[stage][number]).max() > 1


@pytest.mark.parametrize("batch", [2, 5])
def test_what_is_drawn_beside_an_image_changes_at_most_a_grey_level(
    runs: Path, tmp_path: Path, batch: int
) -> None:
    requests = [
        (prompt, seed) for prompt in ("a red circle", "two pink crosses", "") for seed in (0, 1)
    ]
    draw(runs, tmp_path / "alone", requests=requests, batch=1)
    draw(runs, tmp_path / "beside", requests=requests[::-1], batch=batch)
    files = sorted(p.relative_to(tmp_path / "alone") for p in (tmp_path / "alone").rglob("*.png"))
    assert len(files) == 12
    for file in files:
        one, two = (pixels.load_png(tmp_path / name / file) for name in ("alone", "beside"))
        assert abs(one.astype(int) - two).max() <= 1


def test_a_digest_names_what_draws_and_not_how_it_was_typed(runs: Path, tmp_path: Path) -> None:
    leave_run(tmp_path, "base", images=192, seed=1)
    words = {name: word.format(other=tmp_path) for name, word in OTHERS.items()}
    digests = {name: provenance.digest(described(runs, word)[1]) for name, word in words.items()}
    assert len(set(digests.values())) == len(OTHERS)
    for word in ("cascade.base.recipe.guidance.weight=3", f"cascade.base.run={runs}/./demo/base"):
        assert provenance.digest(described(runs, word)[1]) == digests["none"]
    _, source = described(runs)
    assert provenance.digest(json.loads(json.dumps(source))) == digests["none"]
