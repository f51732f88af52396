"""Adapters of low rank: they begin as nothing, are all that learns, and merge exactly."""

import copy
from typing import Any

import pytest
import tiny_network
import torch
from tiny_network import call, doubles
from torch import Tensor, nn

from imagen_lit.basics.errors import InputError
from imagen_lit.network import adapters, doubled_conv
from imagen_lit.stage import compilation

NETWORKS = ("demo_unet", "demo_efficient_unet")
SMALL: dict[str, dict[str, Any]] = {
    "demo_unet": {"channels": [8, 16], "blocks": [1, 1], "attention": [False, True]},
    "demo_efficient_unet": {"first_channels": 8, "channels": [8, 16], "blocks": [1, 1]},
}
RANK, ALPHA = 4, 6.0


def build(option: str = "demo_unet") -> nn.Module:
    return tiny_network.build(option, embedding=32, **SMALL[option])


def adapted(network: nn.Module, layers: str = "all", seed: int | None = 1) -> nn.Module:
    """With adapters that have learnt something, unless there is no seed."""
    adapters.adapt(network, RANK, ALPHA, layers)
    if seed is not None:
        torch.manual_seed(seed)
        for name, weight in network.named_parameters():
            if adapters.is_adapter(name):
                nn.init.normal_(weight, std=0.1)
    return network


@pytest.mark.parametrize("option", NETWORKS)
@torch.no_grad()
def test_an_adapted_network_begins_as_the_network_itself(option: str) -> None:
    network = build(option)
    before, weights = call(network), copy.deepcopy(network.state_dict())
    adapted(network, seed=None)
    assert torch.equal(call(network), before)
    merged = adapters.merged(network)
    assert merged.keys() == weights.keys()
    assert all(torch.equal(merged[name], weights[name]) for name in weights)


@pytest.mark.parametrize("option", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_merged_weights_draw_the_same_bit_for_bit(option: str, dtype: torch.dtype) -> None:
    plain = build(option).to(dtype)
    network = adapted(copy.deepcopy(plain))
    inputs = doubles(plain) if dtype == torch.float64 else {}
    before, after = call(plain, **inputs), call(network, **inputs)
    plain.load_state_dict(adapters.merged(network))
    assert torch.equal(call(plain, **inputs), after)
    assert (after - before).abs().max() > 0.01, "the adapters change something"


@pytest.mark.parametrize("option", NETWORKS)
@torch.no_grad()
def test_the_sum_of_weights_is_the_sum_of_outputs_of_the_paper(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hu et al. 2022, eq. 3: h = W x + (alpha / rank) B A x, by layers of its own beside W."""
    monkeypatch.setattr(doubled_conv, "is_faster", lambda h: False)  # which calls no layer
    plain = build(option).double()
    network = adapted(copy.deepcopy(plain))
    inputs = doubles(plain)

    def beside(layer: Any, low_rank: adapters.LowRank) -> Any:
        def hook(module: nn.Module, args: tuple[Tensor], output: Tensor) -> Tensor:
            if isinstance(layer, nn.Linear):
                return output + ALPHA / RANK * (args[0] @ low_rank.down.T @ low_rank.up.T)
            down = low_rank.down.view(RANK, *layer.weight.shape[1:])
            h = nn.functional.conv2d(args[0], down, None, layer.stride, layer.padding)
            return output + ALPHA / RANK * nn.functional.conv2d(h, low_rank.up[:, :, None, None])

        return hook

    for name, module in network.named_modules():
        if isinstance(module, adapters.LowRank):
            layer = plain.get_submodule(name.removesuffix(".parametrizations.weight.0"))
            layer.register_forward_hook(beside(layer, module))
    difference = (call(plain, **inputs) - call(network, **inputs)).abs().max()
    assert difference < 1e-10


@torch.no_grad()
def test_the_strength_of_a_merge_scales_the_change() -> None:
    network = adapted(build().double())
    none, half, full = (adapters.merged(network, strength) for strength in (0, 0.5, 1))
    base = {adapters.plain_name(name): weight for name, weight in network.state_dict().items()}
    for name in full:
        assert torch.equal(none[name], base[name])
        torch.testing.assert_close(half[name], (none[name] + full[name]) / 2, rtol=0, atol=1e-12)


def test_a_gradient_reaches_the_adapters_and_nothing_else() -> None:
    network = adapted(build())
    call(network).square().mean().backward()
    for name, weight in network.named_parameters():
        assert (weight.grad is not None) == adapters.is_adapter(name) == weight.requires_grad
    assert all(w.grad.any() for w in network.parameters() if w.grad is not None)


def test_attention_alone_or_all_linear_layers_can_be_adapted() -> None:
    chosen = {
        layers: {
            name.partition(".parametrizations")[0]
            for name in adapted(build(), layers).state_dict()
            if adapters.is_adapter(name)
        }
        for layers in adapters.LAYERS
    }
    assert chosen["attention"] < chosen["linear"] < chosen["all"]
    assert all(".attention." in name for name in chosen["attention"])
    assert any(name.endswith("scale_shift") for name in chosen["linear"])
    assert "first" in chosen["all"] and "last" not in chosen["all"]


def test_a_copy_and_its_original_are_adapted_apart() -> None:
    """As a denoiser and its EMA are."""
    network = adapted(build())
    average = copy.deepcopy(network)
    before = call(average)
    for name, weight in network.named_parameters():
        if adapters.is_adapter(name):
            nn.init.zeros_(weight)
    assert torch.equal(call(average), before)


@torch.no_grad()
def test_compiled_blocks_read_the_adapted_weights() -> None:
    network = adapted(build())
    plain = call(network)
    compilation.compile_blocks(network, "eager")
    torch.testing.assert_close(call(network), plain)


def test_weights_of_the_plain_network_go_beside_the_adapters() -> None:
    network, other = adapted(build()), build()
    own = {n: w.clone() for n, w in network.state_dict().items() if adapters.is_adapter(n)}
    nn.init.normal_(other.first.weight)
    network.load_state_dict(adapters.with_base(network, other.state_dict()))
    now = network.state_dict()
    assert all(torch.equal(now[name], own[name]) for name in own)
    assert torch.equal(adapters.merged(network, 0)["first.weight"], other.first.weight)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 64}, r"rank=64 is larger than the layer \S+ allows.*Set \S+rank=\d+ or less"),
        ({"rank": 0}, "rank=0"),
        ({"alpha": 0}, "alpha=0"),
        ({"layers": "every"}, "none of attention, linear, all"),
    ],
)
def test_adapters_that_cannot_be_say_what_to_set(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        adapters.adapt(build(), **{"rank": 4, "alpha": 4, "layers": "all"} | settings)


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(InputError, match=r"chooses no layer.*Set "):
        adapters.adapt(nn.Sequential(nn.LayerNorm(3)), 1, 1, "all")
