"""How text enters a network: each pooling with each attention, in both networks."""

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from tiny_network import BATCH, LENGTH, call
from torch import nn
from torch._dynamo.testing import CompileCounter

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.network.attention import SelfAttention, SelfTextAttention, SelfThenTextAttention
from imagen_lit.network.conditioning import ATTENTIONS, POOLS, Conditioning
from imagen_lit.network.efficient_unet import EfficientUNet
from imagen_lit.network.text_pool import AttentionPool, MeanPool
from imagen_lit.network.unet import UNet
from imagen_lit.stage import compilation

WIDTH = 12
ARMS = {  # of Fig. A.13a: pool, attention
    "mean_pool": ("mean", "none"),
    "attention_pool": ("attention", "none"),
    "cross": ("attention", "cross"),
    "concatenated": ("attention", "concatenated"),
}


def filled(network: nn.Module) -> nn.Module:
    """Without the zeros that would hide what the tests look for."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def unet(conditioning: Conditioning | None, **others: Any) -> nn.Module:
    torch.manual_seed(0)
    text = {"text_width": WIDTH, "text_channels": 10, "conditioning": conditioning}
    attention = {"attention": [False, True], "head_width": 8}
    others = {"channels": [8, 16], "blocks": [1, 1], "lowres_channels": 3} | others
    return filled(UNet(**text, **attention, **others))


def efficient(conditioning: Conditioning | None, **others: Any) -> nn.Module:
    torch.manual_seed(0)
    widths = {"text_width": WIDTH, "first_channels": 8, "channels": [8, 16], "head_width": 8}
    others = {"blocks": [1, 2], "self_attention": True, "conditioning": conditioning} | others
    return filled(EfficientUNet(**widths, **others))


def ones() -> torch.Tensor:
    return torch.ones(BATCH, LENGTH, dtype=torch.bool)


@pytest.mark.parametrize("make", [unet, efficient])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_every_way_draws_and_learns_and_sees_the_text_or_not(
    pool: str, attention: str, make: Any
) -> None:
    network = make(Conditioning(pool, attention))
    output = call(network)  # one of its texts has no token
    assert output.isfinite().all()
    output.square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    with torch.no_grad():
        g = torch.Generator().manual_seed(7)
        change = call(network, text=torch.randn(BATCH, LENGTH, WIDTH, generator=g)) - output
        assert bool(change[0].abs().max() > 1e-5) == ((pool, attention) != ("none", "none"))
        assert not change[2].any(), "it has no token"


@torch.no_grad()
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_a_dropped_text_is_an_empty_one(pool: str, attention: str) -> None:
    network, none = unet(Conditioning(pool, attention)), ~ones()
    dropped = call(network, text=torch.zeros(BATCH, LENGTH, WIDTH), mask=none)
    masked = call(network, mask=none)
    empty = call(network, text=torch.zeros(BATCH, 1, WIDTH), mask=none[:, :1])
    assert torch.equal(dropped, masked)
    torch.testing.assert_close(dropped, empty, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_mean_is_that_of_the_real_tokens() -> None:
    pool = filled(MeanPool(WIDTH, 5))
    text = torch.randn(2, 4, WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    normed = (text[0, :2] - text[0, :2].mean(1, keepdim=True)) / (
        text[0, :2].var(1, correction=0, keepdim=True) + 1e-5
    ).sqrt()
    mean = (normed * pool.norm.weight + pool.norm.bias).mean(0)
    by_hand = pool.out(torch.stack([mean, pool.null_token[0]]))
    torch.testing.assert_close(pool(text, mask), by_hand)


@torch.no_grad()
def test_concatenated_attention_without_a_token_is_self_attention() -> None:
    both, own = filled(SelfTextAttention(16, WIDTH, 8)), SelfAttention(16, 8)
    own.load_state_dict(both.state_dict(), strict=False)
    x, text = torch.randn(BATCH, 16, 4, 4), torch.randn(BATCH, LENGTH, WIDTH)
    torch.testing.assert_close(both(x, text, ~ones()), own(x, text, ones()))


@torch.no_grad()
def test_half_precision_attends_as_float32_does() -> None:
    own = filled(SelfThenTextAttention(16, WIDTH, 8))
    x, text = torch.randn(BATCH, 16, 4, 4), torch.randn(BATCH, LENGTH, WIDTH)
    exact = own(x, text, ones())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(own(x, text, ones()), exact, atol=0.05, rtol=0.05)


def test_without_self_attention_the_text_is_crossed_or_absent() -> None:
    with pytest.raises(InputError, match=r"leaves none\. Set network\.conditioning\.attention=cr"):
        efficient(Conditioning(), self_attention=False)
    crossed, none = (
        efficient(Conditioning("mean", each), self_attention=False) for each in ("cross", "none")
    )
    assert crossed.up["level1"].attention is not None
    assert none.up["level1"].attention is None
    assert call(none).isfinite().all()


def test_the_width_of_the_attention_pool_is_chosen() -> None:
    pool = Conditioning(pool_heads=3, pool_head_width=7).make_pool(WIDTH, 5)
    assert isinstance(pool, AttentionPool)
    assert pool.query.shape == (3, 1, 7) and pool.key_value.out_features == 2 * 21


@pytest.mark.parametrize("network", ["unet_300m", "demo_unet", "efficient_unet_600m"])
@pytest.mark.parametrize("arm", ARMS)
def test_one_word_chooses_an_arm_of_the_ablation(arm: str, network: str) -> None:
    words = [f"network={network}", f"network/conditioning={arm}"]
    node = OmegaConf.to_container(config.compose("train", words).stage.denoiser.network)
    chosen = config.build(node["conditioning"])
    assert (chosen.pool, chosen.attention) == ARMS[arm]


@torch.no_grad()
@pytest.mark.parametrize("ways", [("mean", "cross"), ("none", "none")])
def test_other_ways_compile_to_one_graph(ways: tuple[str, str]) -> None:
    network, counter = unet(Conditioning(*ways), skip_join="added"), CompileCounter()
    torch.compiler.reset()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    for tokens in (5, 9, 12):
        text, mask = torch.randn(BATCH, tokens, WIDTH), torch.ones(BATCH, tokens).bool()
        given = {"text": text, "mask": mask}
        torch.testing.assert_close(call(compiled, **given), call(network, **given))
    assert counter.frame_count <= 2, "once for the first length, once for any"


def test_both_layers_of_cross_attention_are_compiled_alone() -> None:
    names = [name for name, _ in compilation.blocks(unet(Conditioning(attention="cross")))]
    assert {"middle.0.attention.to_itself", "middle.0.attention.to_text"} <= {*names}


@pytest.mark.parametrize("make", [unet, efficient])
def test_checkpointing_changes_no_gradient_of_any_switch(make: Any) -> None:
    results = []
    for checkpointing in (False, True):
        switches = {"skip_join": "added", "skip_scale": "residual_sum", "shortcut": "always"}
        network = make(Conditioning("mean", "cross"), checkpointing=checkpointing, **switches)
        output = call(network)
        output.square().sum().backward()
        results.append([output, *(p.grad for p in network.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
