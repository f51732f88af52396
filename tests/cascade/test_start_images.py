"""A cascade may start from true small images, where its first stage enlarges; and each image says
how much its threshold had to do."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from tiny_run import FINGERPRINT, Encoder, leave_run
from torch import Tensor

from imagen_lit import evaluate, sample
from imagen_lit.basics import image_format, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import excerpt, image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.start import Start
from imagen_lit.cli import config
from imagen_lit.run import provenance

REQUESTS = [("a red circle", 0), ("a blue square", 3)]
SR_ALONE = ["~cascade.base", "~cascade.sr2", "cascade.sr.recipe.steps=2"]
WHOLE = ["cascade.base.recipe.steps=3", "cascade.sr.recipe.steps=2", "~cascade.sr2"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    leave_run(runs, "base")
    leave_run(runs, "sr")
    return runs


def true_images(level: int) -> np.ndarray:
    rng = np.random.default_rng(level)
    return rng.integers(0, 256, (len(REQUESTS), 64, 64, 3), np.uint8)


def described(runs: Path, *words: str) -> tuple[Cascade, dict[str, Any]]:
    cfg = config.compose("sample", [f"runs={runs}", *words]).cascade
    cascade: Cascade = config.build(cfg)
    settings = OmegaConf.to_container(cfg, resolve=True)
    return cascade, provenance.describe(cascade.weights, FINGERPRINT, {"cascade": settings})


def draw(runs: Path, folder: Path, start: Start | None, *words: str) -> list[Path]:
    cascade, source = described(runs, *words)
    cascade.start = start
    to_draw = image_files.missing(cascade, source, REQUESTS, folder)
    shape = DrawingPass.of(Encoder(), [prompt for prompt, _ in REQUESTS], 8)
    list(image_files.draw(cascade, Encoder(), source, to_draw, folder, shape))
    stage = list(cascade.stages)[-1]
    return [image_files.paths(cascade, folder, *each)[stage] for each in REQUESTS]


def test_a_stage_that_enlarges_draws_alone_from_true_small_images(
    runs: Path, tmp_path: Path
) -> None:
    first, second = (
        draw(runs, tmp_path / str(level), Start.of(REQUESTS, true_images(level), 4), *SR_ALONE)
        for level in (1, 2)
    )
    for request, one, other in zip(REQUESTS, first, second, strict=True):
        facts = png_metadata.read(one)
        assert facts["start"] == Start.of(REQUESTS, true_images(1), 4).digest(request)
        assert facts["start"] != png_metadata.read(other)["start"]
        assert one.read_bytes() != other.read_bytes()


def test_a_small_image_is_the_mean_of_the_pixels_that_it_stands_for() -> None:
    true = true_images(1)
    small = Start.of(REQUESTS, true, 4).batch(REQUESTS).numpy()
    means = true.reshape(2, 16, 4, 16, 4, 3).mean(axis=(2, 4)) / 127.5 - 1
    np.testing.assert_allclose(small, np.moveaxis(means, -1, 1), atol=1e-6)


def test_an_image_drawn_from_another_small_one_is_not_taken_for_it(
    runs: Path, tmp_path: Path
) -> None:
    draw(runs, tmp_path, Start.of(REQUESTS, true_images(1), 4), *SR_ALONE)
    with pytest.raises(InputError, match="drawn otherwise"):
        draw(runs, tmp_path, Start.of(REQUESTS, true_images(2), 4), *SR_ALONE)


def test_without_small_images_a_cascade_begins_with_a_base(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs one that draws from text alone"):
        draw(runs, tmp_path, None, *SR_ALONE)
    start = Start.of(REQUESTS[:1], true_images(1)[:1], 4)
    with pytest.raises(InputError, match="no small image to start from for 'a blue square'"):
        draw(runs, tmp_path, start, *SR_ALONE)


def test_an_image_tells_how_much_of_each_estimate_its_threshold_met(
    runs: Path, tmp_path: Path
) -> None:
    """Against a threshold that looks at what it is given."""
    words = [*WHOLE, "cascade.base.recipe.guidance.weight=8"]
    files = draw(runs, tmp_path, None, *words)
    cascade, _ = described(runs, *words)
    seen: dict[str, list[Tensor]] = {"base": [], "sr": []}
    for name, stage in cascade.stages.items():
        inner = stage.recipe.threshold

        def look(x: Tensor, name: str = name, inner: Any = inner) -> Tensor:
            seen[name].append(x)
            return inner(x)

        stage.recipe = dataclasses.replace(stage.recipe, threshold=look)
    shape = DrawingPass.of(Encoder(), [prompt for prompt, _ in REQUESTS], 8)
    condition = shape.condition(Encoder(), [prompt for prompt, _ in REQUESTS])
    list(cascade.draw(condition, [seed for _, seed in REQUESTS]))
    assert {name: len(calls) for name, calls in seen.items()} == {"base": 3, "sr": 2}
    for stage, calls in seen.items():
        beyond = torch.stack([(x.abs() > 1).flatten(1).double().mean(1) for x in calls], 1)
        paths = [image_files.paths(cascade, tmp_path, *each)[stage] for each in REQUESTS]
        hits = image_files.threshold_hits(paths)
        np.testing.assert_allclose(hits, beyond.numpy(), atol=6e-6)
    assert sum(map(sum, image_files.threshold_hits(files))) > 0


def test_what_was_enlarged_from_a_true_image_is_drawn_again_from_its_file(
    runs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `evaluate image_set@start=...` draws it; images that are not there, or are others now, are
    refused in a sentence."""
    words = ["image_set@start=shapes", "start.count=2", "start.seed=3", "start_at=sr"]
    words += ["cascade.sr.recipe.steps=2", "~cascade.sr2", f"runs={runs}"]
    cfg = config.compose("evaluate", words)
    part = excerpt.excerpt(cfg)
    cascade: Cascade = config.build(part)
    prompts = evaluate.build_prompts(cfg, cascade)
    requests = list(zip(prompts.prompts, prompts.seeds, strict=True))
    settings = {"cascade": OmegaConf.to_container(part, resolve=True)}
    source = provenance.describe(cascade.weights, FINGERPRINT, settings)
    shape = DrawingPass.of(Encoder(), prompts.prompts, 8)
    list(image_files.draw(cascade, Encoder(), source, requests, tmp_path, shape))
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def again(file: Path) -> str:
        sample.main(config.compose("sample", [f"runs={runs}", f"from={file}"]))
        return capsys.readouterr().out

    files = [image_files.paths(cascade, tmp_path, *each)["sr"] for each in requests]
    assert all("drawn again, all 4,096 pixels are equal" in again(file) for file in files)
    facts, image = png_metadata.read(files[1]), Image.fromarray(image_format.load(files[1]))
    node, number = facts["start_of"]["image_set"], facts["start_of"]["number"]
    for origin, message in (
        ({"image_set": node | {"count": 1}, "number": 1}, "image 1, and the set has 1 now"),
        ({"image_set": node | {"seed": 4}, "number": number}, "is another one now: its small"),
        ({"image_set": {"_target_": "os.system"}, "number": 0}, "no part of a set of images"),
        ({"image_set": node | {"size": "${oc.env:HOME}"}, "number": 0}, "which is no value"),
    ):
        texts = png_metadata.texts(facts | {"start_of": origin}, "")
        image_format.save(image, tmp_path / "changed.png", texts)
        with pytest.raises(InputError, match=message):
            again(tmp_path / "changed.png")
