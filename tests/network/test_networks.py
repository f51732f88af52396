"""Laws of every network in conf: shape kept, text felt, padding not felt, no parameter idle."""

from pathlib import Path

import pytest
import torch
from tiny_network import BATCH, EDGE, LENGTH, build, call, new
from torch import nn
from torch._dynamo.testing import CompileCounter

from imagen_lit import assets

OPTIONS = sorted(p.stem for p in Path(assets.conf(), "network").glob("*.yaml"))


@pytest.fixture(params=OPTIONS, scope="module")
def network(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


@torch.no_grad()
def test_the_answer_has_the_shape_of_the_question(network: nn.Module) -> None:
    assert call(network).shape == (BATCH, 3, EDGE, EDGE)


@torch.no_grad()
def test_a_padded_token_cannot_be_felt(network: nn.Module) -> None:
    g = torch.Generator().manual_seed(1)
    torch.randn(BATCH, 3, EDGE, EDGE, generator=g)
    text = torch.randn(BATCH, LENGTH, network.embed_text.nothing.shape[-1], generator=g)
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 0])[:, None]
    noise = torch.tensor([1e4, float("inf"), float("nan")]).repeat(text.numel() // 3 + 1)
    loud = torch.where(mask[..., None], text, noise[: text.numel()].reshape(text.shape))
    assert torch.equal(call(network, text=text), call(network, text=loud))


@torch.no_grad()
def test_more_padding_changes_nothing(network: nn.Module) -> None:
    width = network.embed_text.nothing.shape[-1]
    text = torch.randn(BATCH, LENGTH, width, generator=torch.Generator().manual_seed(2))
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 2])[:, None]
    longer = torch.cat([text, torch.ones(BATCH, 9, width)], 1)
    more = torch.cat([mask, torch.zeros(BATCH, 9, dtype=torch.bool)], 1)
    short, long = call(network, text=text, mask=mask), call(network, text=longer, mask=more)
    torch.testing.assert_close(short, long, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_pictures_that_cannot_be_halved_are_refused_in_a_sentence(network: nn.Module) -> None:
    odd = torch.randn(BATCH, 3, EDGE + 1, EDGE + 1)
    with pytest.raises(ValueError, match=r"33 x 33 .*type data\.size=\d+ or \d+"):
        call(network, z=odd)


@torch.no_grad()
def test_text_noise_level_and_small_picture_are_felt(network: nn.Module) -> None:
    usual = call(network)
    for name, other in (
        ("text", torch.ones(BATCH, LENGTH, network.embed_text.nothing.shape[-1])),
        ("logsnr", torch.tensor([3.0, 1.0, -4.0])),
        ("lowres", torch.zeros(BATCH, 3, EDGE // 4, EDGE // 4)),
        ("lowres_logsnr", torch.tensor([-1.0, 2.0, 2.0])),
    ):
        assert (call(network, **{name: other})[0] - usual[0]).abs().max() > 1e-4, name


def test_every_parameter_gets_a_gradient(network: nn.Module) -> None:
    network.zero_grad()
    call(network).square().sum().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch(network: nn.Module) -> None:
    g = torch.Generator().manual_seed(5)
    z = torch.randn(BATCH, 3, EDGE, EDGE, generator=g)
    together = call(network, z=z)
    mixed = call(network, z=torch.cat([z[:1], torch.randn(2, 3, EDGE, EDGE, generator=g)]))
    torch.testing.assert_close(together[0], mixed[0], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_a_new_network_answers_zero() -> None:
    """Its last layer starts silent, so the first estimate is the mildest one."""
    for option in OPTIONS:
        assert not call(new(option)).any()


@torch.no_grad()
@pytest.mark.parametrize("option", OPTIONS)
def test_a_network_that_enlarges_says_when_it_has_nothing_to_enlarge(option: str) -> None:
    with pytest.raises(ValueError, match="stage=demo_sr"):
        call(new(option), lowres=None, lowres_logsnr=None)


@torch.no_grad()
def test_skips_of_the_efficient_unet_are_quieter_by_the_root_of_two() -> None:
    """Imagen App. B.1."""
    network, seen = build("demo_efficient_unet"), {}
    network.first.register_forward_hook(lambda _, given, out: seen.update(first=out))
    network.last_norm.register_forward_pre_hook(lambda _, given: seen.update(last=given[0]))
    call(network)
    skip = seen["last"][:, -seen["first"].shape[1] :]
    torch.testing.assert_close(skip, seen["first"] / 2**0.5)


def test_the_last_stage_learns_on_crops_and_draws_larger_pictures() -> None:
    network = build("demo_efficient_unet_crop")
    width = network.embed_text.nothing.shape[-1]
    text, mask = torch.randn(1, 4, width), torch.ones(1, 4, dtype=torch.bool)
    for edge in (64, 128):
        z, low = torch.randn(1, 3, edge, edge), torch.randn(1, 3, edge // 4, edge // 4)
        logsnr = torch.zeros(1)
        assert network(z, logsnr, text, mask, low, logsnr).shape == z.shape


@torch.no_grad()
@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet", "demo_efficient_unet_crop"])
def test_a_network_is_one_graph_to_a_compiler(option: str) -> None:
    """With captions of every length: torch.compile neither stops half-way nor begins ever anew."""
    network, counter = build(option), CompileCounter()
    torch.compiler.reset()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    width = network.embed_text.nothing.shape[-1]
    for tokens in (5, 9, 12):
        text, mask = torch.randn(BATCH, tokens, width), torch.ones(BATCH, tokens, dtype=torch.bool)
        torch.testing.assert_close(
            call(compiled, text=text, mask=mask), call(network, text=text, mask=mask)
        )
    assert counter.frame_count <= 2, "once for the first length, once for any"
