"""A text is read once, and every step of a drawing has the bits that it had without that."""

from collections import Counter

import pytest
import torch
from omegaconf import OmegaConf
from tiny_network import BATCH, LENGTH, build, call, text_width
from torch import Tensor, nn

from imagen_lit.cli import config
from imagen_lit.network.conditioning import ATTENTIONS, POOLS, Conditioning
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage

OPTIONS = ("demo_unet", "demo_efficient_unet", "unet_300m", "efficient_unet_400m")


def some_text(width: int) -> dict[str, Tensor]:
    text = torch.randn(BATCH, LENGTH, width, generator=torch.Generator().manual_seed(3))
    return {"text": text, "mask": torch.arange(LENGTH) < torch.tensor([7, 4, 0])[:, None]}


@torch.no_grad()
def assert_read_is_all_that_a_pass_knows_of_the_text(network: nn.Module) -> None:
    text = some_text(text_width(network))
    reading = network.read(**text)
    nothing = {"text": torch.full_like(text["text"], torch.nan), "mask": ~text["mask"]}
    assert torch.equal(call(network, **text), call(network, **nothing, reading=reading))


@pytest.mark.parametrize("option", OPTIONS)
def test_a_pass_with_a_reading_is_the_same_pass(option: str) -> None:
    assert_read_is_all_that_a_pass_knows_of_the_text(build(option))


@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet"])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_so_it_is_however_the_text_enters(pool: str, attention: str, option: str) -> None:
    target = f"{Conditioning.__module__}.Conditioning"
    ways = {"_target_": target, "pool": pool, "attention": attention}
    network = build(option, conditioning=ways)
    assert_read_is_all_that_a_pass_knows_of_the_text(network)


@pytest.fixture(scope="module")
def stage() -> Stage:
    torch.manual_seed(0)
    words = ["network.channels=[16,32]", "network.blocks=[1,1]", "network.attention=[false,true]"]
    words += ["stage/null_text@stage.condition.null_text=learned"]
    stage: Stage = config.build(config.compose("train", words).stage)
    for weight in stage.ema.parameters():  # zero layers would say nothing
        if not weight.any():
            weight.data = 0.1 * torch.randn_like(weight)
    return stage


def recipe(*words: str) -> Recipe:
    node = config.compose("sample", ["cascade.base.recipe.steps=5", *words]).cascade.base.recipe
    OmegaConf.resolve(node)
    return config.build(node)


RECIPES = {
    "default": [],
    "bf16": ["precision=bf16-mixed"],
    "interval": ["diffusion/guidance@cascade.base.recipe.guidance=interval"],
    "heun": ["diffusion/sampler@cascade.base.recipe.sampler=heun"],
}


@pytest.mark.parametrize("name", RECIPES)
def test_all_steps_of_a_drawing_share_one_reading(stage: Stage, name: str) -> None:
    text = torch.randn(2, 6, 128, generator=torch.Generator().manual_seed(1))
    condition = Condition(text, torch.tensor([[True] * 6, [True] * 3 + [False] * 3]))
    calls = Counter[str]()
    hooks = [
        module.register_forward_hook(lambda module, inputs, output, name=name: calls.update([name]))
        for name, module in stage.ema.named_modules()
        if name == "null_text" or name.endswith((".embed_text", ".text_key_value", ".embed_logsnr"))
    ]
    drawn = recipe(*RECIPES[name]).draw(stage.ema, condition, [0, 1], 16)
    for hook in hooks:
        hook.remove()
    passes = calls.pop("network.embed_logsnr")
    assert passes >= 5 and len(calls) > 3
    assert set(calls.values()) == ({2} if name == "interval" else {1}), "with guidance and without"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(stage.ema), "read", lambda self, condition: None)  # each pass by itself
        assert torch.equal(recipe(*RECIPES[name]).draw(stage.ema, condition, [0, 1], 16), drawn)
