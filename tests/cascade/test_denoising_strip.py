"""A strip shows, for each stage, evenly spread steps, and ends with the image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_run import Encoder, leave_run

from imagen_lit import sample
from imagen_lit.basics import image_format, png_metadata
from imagen_lit.cascade import denoising_strip
from imagen_lit.cascade.denoising_strip import EDGE, GAP, DenoisingStrip
from imagen_lit.cli import config


def test_the_steps_are_the_ends_of_equal_parts() -> None:
    assert denoising_strip.chosen(8, 16) == [2, 4, 6, 8, 10, 12, 14, 16]
    assert denoising_strip.chosen(3, 4) == [2, 3, 4]
    assert denoising_strip.chosen(8, 2) == [1, 2]
    assert denoising_strip.chosen(1, 256) == [256]


def test_a_row_for_each_stage_and_a_place_for_each_step(tmp_path: Path) -> None:
    strip = DenoisingStrip(2, {"base": 4, "sr": 1})
    requests = [("a", 0), ("b", 7)]
    for batch in (requests, requests[:1]):
        for stage, number, edge in (
            ("base", 1, 4),
            ("base", 2, 4),
            ("base", 3, 4),
            ("base", 4, 4),
            ("sr", 1, 8),
        ):
            greys = torch.tensor([number, 2.0 * number]).reshape(2, 1, 1, 1) * 20 / 127.5 - 1
            strip.estimate(greys.expand(2, 3, edge, edge))
            strip.step(stage, number)
        strip.write(tmp_path, batch)
    image = image_format.load(denoising_strip.path(tmp_path, ("b", 7)))
    assert image.shape == (2 * EDGE + GAP, 2 * EDGE + GAP, 3)
    centres = image[EDGE // 2 :: EDGE + GAP, EDGE // 2 :: EDGE + GAP, 0]
    assert centres.tolist() == [[80, 160], [40, 255]], "the second step, the fourth; the first"
    facts = png_metadata.read(denoising_strip.path(tmp_path, ("b", 7)))
    assert facts["strip"] == {"prompt": "b", "seed": 7, "steps": {"base": [2, 4], "sr": [1]}}


def test_a_strip_is_drawn_for_images_that_are_there_and_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_run(tmp_path, "base")
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))
    words: list[Any] = [f"runs={tmp_path}", f"out={tmp_path}/mine", "cascade=demo_base"]
    words += ["prompts=a red circle", "cascade.base.recipe.steps=3"]
    sample.main(config.compose("sample", words))
    (image,) = (tmp_path / "mine/base").iterdir()
    before = image.stat().st_mtime_ns
    for _ in range(2):
        sample.main(config.compose("sample", [*words, "strip=3"]))
    assert image.stat().st_mtime_ns == before
    (file,) = (tmp_path / "mine/strips").iterdir()
    strip = image_format.load(file)
    assert strip.shape == (EDGE, 3 * EDGE + 2 * GAP, 3)
    last = strip[4::8, -EDGE + 4 :: 8]  # the centres of the sixteen pixels
    assert np.array_equal(last, image_format.load(image)), "the last estimate is the image"
