"""Training keeps a learned variance: weights of DeepFloyd IF start a stage whose loss has the
variational bound, a step moves both halves of the output, and it draws with its variance."""

from functools import partial
from pathlib import Path

import pytest
import torch

from imagen_lit.cli import config
from imagen_lit.diffusion.guidance import ClassifierFree
from imagen_lit.diffusion.sampler import Ancestral
from imagen_lit.diffusion.threshold import static
from imagen_lit.diffusion.weighting import plain
from imagen_lit.run import start_weights
from imagen_lit.run.deepfloyd_stage import DeepFloydStage
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage

deepfloyd_stages = pytest.importorskip("deepfloyd_stages")
pytest.importorskip("diffusers")


def test_weights_of_if_are_trained_further_with_their_variance(tmp_path: Path) -> None:
    deepfloyd_stages.save(tmp_path, "one")
    settings = DeepFloydStage(tmp_path).settings()
    condition = config.build(settings["condition"])
    make = partial(torch.optim.SGD, lr=1e-3)
    stage = Stage(config.build(settings["denoiser"]), condition, plain, make, 4, 0)
    empty = torch.randn(77, deepfloyd_stages.TEXT)
    for denoiser in (stage.denoiser, stage.ema):
        denoiser.null_text.give(empty)  # type: ignore[operator]
    encoder = {"max_length": "77", "padding": "max_length"}
    start_weights.give(stage, tmp_path, encoder)
    there = DeepFloydStage(tmp_path).denoiser(None)
    for name, weight in stage.denoiser.network.state_dict().items():
        assert torch.equal(weight, there.network.state_dict()[name])
    assert torch.equal(stage.denoiser.null_text.vectors, empty)  # type: ignore[arg-type]

    batch = {
        "image": torch.rand(2, 3, 16, 16) * 2 - 1,
        "text": torch.randn(2, 77, deepfloyd_stages.TEXT),
        "mask": torch.ones(2, 77, dtype=torch.bool),
        "position": torch.tensor([0, 1]),
    }
    stage.loss(stage.denoiser, batch, torch.tensor([0.3, 0.7]), 0).mean().backward()
    gradient = stage.denoiser.network.last.weight.grad  # type: ignore[union-attr]
    assert gradient[:3].any() and gradient[3:].any()  # type: ignore[index]

    recipe = Recipe(Ancestral(gamma=None), ClassifierFree(2.0), static, 3)
    seen = Condition(batch["text"], batch["mask"])
    drawn = recipe.draw(stage.denoiser, seen, [0, 1], 16)
    fixed = Recipe(Ancestral(gamma=0.0), ClassifierFree(2.0), static, 3)
    assert drawn.isfinite().all()
    assert not torch.equal(drawn, fixed.draw(stage.denoiser, seen, [0, 1], 16))
