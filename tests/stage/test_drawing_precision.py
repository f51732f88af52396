"""Drawing in bf16 changes the networks' inner numbers and nothing else."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_lit.cli import config
from imagen_lit.network.layers import LastConv
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage


@pytest.fixture(scope="module")
def stage() -> Stage:
    torch.manual_seed(0)
    stage: Stage = config.build(config.compose("train", ["network.channels=[16,32,32]"]).stage)
    for weight in stage.ema.parameters():  # zero layers would say nothing
        if not weight.any():
            weight.data = 0.1 * torch.randn_like(weight)
    return stage


def recipe(precision: str) -> Recipe:
    words = ["cascade.base.recipe.steps=4", f"precision={precision}"]
    return config.build(config.compose("sample", words).cascade.base.recipe)


def condition() -> Condition:
    text = torch.randn(2, 6, 128, generator=torch.Generator().manual_seed(1))
    return Condition(text, torch.ones(2, 6, dtype=torch.bool))


def test_every_step_is_float32_and_close_to_that_without_it(stage: Stage) -> None:
    exact, rounded = (
        list(recipe(precision).trajectory(stage.ema, condition(), [0, 1], 16))
        for precision in ("32-true", "bf16-mixed")
    )
    for one, other in zip(exact, rounded, strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert 0 < (one - other).abs().max() < 0.3


def test_the_network_gets_bf16_and_its_ends_do_not(stage: Stage) -> None:
    inside: dict[str, torch.dtype] = {}
    hooks = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: inside.update({name: output.dtype})
        )
        for name, module in stage.ema.network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    ]
    logsnrs: list[Tensor] = []
    embed = stage.ema.network.embed_logsnr
    hooks.append(embed.register_forward_pre_hook(lambda module, inputs: logsnrs.append(inputs[0])))
    recipe("bf16-mixed").draw(stage.ema, condition(), [0, 1], 16)
    for hook in hooks:
        hook.remove()
    assert {each.dtype for each in logsnrs} == {torch.float32}
    assert inside.pop("last") == torch.float32
    assert inside["first"] == torch.bfloat16


def test_the_last_convolution_is_a_convolution() -> None:
    x = torch.randn(2, 8, 5, 5)
    plain, last = torch.nn.Conv2d(8, 3, 3, padding=1), LastConv(8, 3, 3, padding=1)
    last.load_state_dict(plain.state_dict())
    assert torch.equal(plain(x), last(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(last(x), last(x.float())) and last(x).dtype == torch.float32
        assert plain(x).dtype == torch.bfloat16


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"precision=fp8 is not one of 32-true, bf16-mixed"):
        replace(recipe("32-true"), precision="fp8")
