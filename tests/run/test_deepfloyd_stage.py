"""A stage of DeepFloyd IF in diffusers' folder draws with our sampler what diffusers' own loop
draws from the same noise, and what is no such stage is refused in a sentence."""

import json
from pathlib import Path
from typing import Any

import deepfloyd_stages
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion import noise, threshold
from imagen_lit.diffusion.guidance import ClassifierFree
from imagen_lit.diffusion.sampler import Ancestral
from imagen_lit.diffusion.spacing import Timesteps
from imagen_lit.run import saved_stage
from imagen_lit.run.deepfloyd_stage import TOKENS, DeepFloydStage
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe

SIZE, STEPS, WEIGHT, LEVEL = 16, 8, 4.0, 250
# The first estimate is divided by alpha = 5e-5, and so is its rounding. It does not show where the
# threshold cuts a value off: in 9999 of 10000, and in all of these seeds.
SEEDS = [10, 11]
diffusers = pytest.importorskip("diffusers")


def normal(purpose: str) -> Tensor:
    return noise.normal(0, SEEDS, f"{SIZE} {purpose}", (3, SIZE, SIZE))


def theirs(
    unet: Any, scheduler: Any, text: Tensor, null: Tensor, small: Tensor | None, patch: Any
) -> Tensor:
    """The loop of diffusers' pipelines of IF, with our noise."""
    drawn: list[Tensor] = []
    name = "diffusers.schedulers.scheduling_ddpm.randn_tensor"
    patch.setattr(name, lambda *_, **__: torch.cat([drawn[-1], torch.zeros_like(drawn[-1])], 1))
    z, level = normal("start"), torch.full((4,), LEVEL)
    if small is not None:
        large = interpolate(small, (SIZE, SIZE), mode="bilinear", align_corners=True)
        eps = normal("augmentation")
        large = scheduler.add_noise(large, eps, level[:2])
    scheduler.set_timesteps(STEPS)
    for i, t in enumerate(scheduler.timesteps):
        seen = z if small is None else torch.cat([z, large], 1)
        label = {} if small is None else {"class_labels": level}
        out = unet(torch.cat([seen, seen]), t, torch.cat([null, text]), **label).sample
        (without, _), (with_text, variance) = (half.chunk(2, 1) for half in out.chunk(2))
        out = torch.cat([without + WEIGHT * (with_text - without), variance], 1)
        patch.setattr(name, lambda *_, i=i, **__: normal(f"step {i}"))
        z = scheduler.step(out, t, z, return_dict=False)[0]
    return z.clamp(-1, 1)


@torch.no_grad()
@pytest.mark.parametrize("name", deepfloyd_stages.STAGES)
def test_a_whole_picture_is_that_of_diffusers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet, scheduler = deepfloyd_stages.save(tmp_path, name)
    scheduler = type(scheduler).from_config(scheduler.config, timestep_spacing="linspace")
    g = torch.Generator().manual_seed(1)
    text, null = torch.randn(2, 2, TOKENS, deepfloyd_stages.TEXT, generator=g)
    null[1] = null[0]
    small = None if name == "one" else torch.rand(2, 3, SIZE // 4, SIZE // 4, generator=g) * 2 - 1
    expected = theirs(unet, scheduler, text, null, small, monkeypatch)

    stage = saved_stage.of(tmp_path)
    assert isinstance(stage, DeepFloydStage) and stage.size() == SIZE
    stage.require("base", None)
    denoiser = stage.denoiser(None)
    denoiser.null_text.give(null[0])  # type: ignore[operator]
    cap = scheduler.config.sample_max_value
    recipe = Recipe(
        Ancestral(gamma=None),
        ClassifierFree(WEIGHT),
        lambda x: threshold.dynamic(x, 95, cap),
        STEPS,
        0.0 if small is None else (LEVEL + 1) / 1000,
        spacing=Timesteps(),
    )
    condition = Condition(text, torch.ones(2, TOKENS, dtype=torch.bool))
    if small is not None:
        augmentation = stage.condition().augmentation
        condition = recipe.with_lowres(condition, small, augmentation, SEEDS)
    drawn = recipe.draw(denoiser, condition, SEEDS, SIZE)
    assert expected.std() > 0.2
    torch.testing.assert_close(drawn, expected, atol=1e-3, rtol=0)


def test_files_in_half_precision_and_shards_are_read(tmp_path: Path) -> None:
    unet, _ = deepfloyd_stages.save(tmp_path, "one")
    whole = DeepFloydStage(tmp_path).denoiser(None).state_dict()
    (tmp_path / "unet/diffusion_pytorch_model.safetensors").unlink()
    unet.save_pretrained(tmp_path / "unet", max_shard_size="200KB")
    shards = DeepFloydStage(tmp_path)
    assert len(shards.files) > 1
    assert all(
        torch.equal(whole[k], each) for k, each in shards.denoiser(None).state_dict().items()
    )
    for file in (tmp_path / "unet").glob("diffusion*"):
        file.unlink()
    unet.half().save_pretrained(tmp_path / "unet", variant="fp16")
    half = DeepFloydStage(tmp_path).denoiser(None).state_dict()
    assert all(each.dtype != torch.float16 for each in half.values())
    torch.testing.assert_close(half, whole, atol=1e-3, rtol=1e-3)


def test_what_is_no_such_stage_is_refused(tmp_path: Path) -> None:
    deepfloyd_stages.save(tmp_path, "one")
    stage = DeepFloydStage(tmp_path)
    with pytest.raises(InputError, match=r"is no run.*Set cascade\.base\.images=null"):
        stage.require("base", 100)
    assert "77" in stage.text_difference({"max_length": "128"})
    assert not stage.text_difference({"max_length": "77", "padding": "max_length"})
    weights = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    before = stage.weights(None)
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert DeepFloydStage(tmp_path).weights(None)["digest"] != before["digest"]
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"safetensors is damaged .*docs/deepfloyd_if\.md"):
        stage.denoiser(None)
    weights.unlink()
    with pytest.raises(InputError, match=r"there is no .*diffusion_pytorch_model"):
        stage.require("base", None)
    file = tmp_path / "unet/config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_class_name": "UNet2DModel"}))
    with pytest.raises(InputError, match=r"unet: _class_name='UNet2DModel' is not"):
        DeepFloydStage(tmp_path).settings()
