"""Laws of every network in conf: shapes, no effect of padding, an effect of every parameter."""

from pathlib import Path

import pytest
import torch
from tiny_network import BATCH, EDGE, LENGTH, build, call, new, text_width
from torch import nn
from torch._dynamo.testing import CompileCounter

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets
from imagen_lit.network.deepfloyd_unet import DeepFloydUNet

OPTIONS = sorted(p.stem for p in Path(assets.conf(), "network").glob("*.yaml"))


@pytest.fixture(params=OPTIONS, scope="module")
def network(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


@torch.no_grad()
def test_the_output_has_the_shape_of_z(network: nn.Module) -> None:
    channels = 6 if isinstance(network, DeepFloydUNet) else 3  # the second half: the variance
    assert call(network).shape == (BATCH, channels, EDGE, EDGE)


@torch.no_grad()
def test_a_padded_token_has_no_effect(network: nn.Module) -> None:
    g = torch.Generator().manual_seed(1)
    torch.randn(BATCH, 3, EDGE, EDGE, generator=g)
    text = torch.randn(BATCH, LENGTH, text_width(network), generator=g)
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 0])[:, None]
    noise = torch.tensor([1e4, float("inf"), float("nan")]).repeat(text.numel() // 3 + 1)
    noisy = torch.where(mask[..., None], text, noise[: text.numel()].reshape(text.shape))
    assert torch.equal(call(network, text=text), call(network, text=noisy))


@torch.no_grad()
def test_more_padding_changes_nothing(network: nn.Module) -> None:
    width = text_width(network)
    text = torch.randn(BATCH, LENGTH, width, generator=torch.Generator().manual_seed(2))
    mask = torch.arange(LENGTH) < torch.tensor([7, 4, 2])[:, None]
    longer = torch.cat([text, torch.ones(BATCH, 9, width)], 1)
    more = torch.cat([mask, torch.zeros(BATCH, 9, dtype=torch.bool)], 1)
    short, long = call(network, text=text, mask=mask), call(network, text=longer, mask=more)
    torch.testing.assert_close(short, long, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_images_that_cannot_be_halved_are_an_error_that_says_what_to_set(
    network: nn.Module,
) -> None:
    odd = torch.randn(BATCH, 3, EDGE + 1, EDGE + 1)
    with pytest.raises(InputError, match=r"33 x 33 .*Set data\.size=\d+ or \d+"):
        call(network, z=odd)


@torch.no_grad()
def test_text_noise_level_and_small_image_have_an_effect(network: nn.Module) -> None:
    usual = call(network)
    for name, other in (
        ("text", torch.ones(BATCH, LENGTH, text_width(network))),
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
def test_an_image_does_not_depend_on_its_batch(network: nn.Module) -> None:
    g = torch.Generator().manual_seed(5)
    z = torch.randn(BATCH, 3, EDGE, EDGE, generator=g)
    together = call(network, z=z)
    other = call(network, z=torch.cat([z[:1], torch.randn(2, 3, EDGE, EDGE, generator=g)]))
    torch.testing.assert_close(together[0], other[0], atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_the_output_of_a_new_network_is_zero() -> None:
    """Its last layer starts as zero, so that the first estimate is the mildest one."""
    for option in OPTIONS:
        assert not call(new(option)).any()


@torch.no_grad()
@pytest.mark.parametrize("option", OPTIONS)
def test_a_network_that_enlarges_says_when_there_is_no_small_image(option: str) -> None:
    with pytest.raises(InputError, match="stage=demo_sr"):
        call(new(option), lowres=None, lowres_logsnr=None)


@torch.no_grad()
def test_skips_of_the_efficient_unet_are_scaled_by_the_root_of_two() -> None:
    """Imagen App. B.1."""
    network, tensors = build("demo_efficient_unet"), {}
    network.first.register_forward_hook(lambda _, args, out: tensors.update(first=out))
    network.last_norm.register_forward_pre_hook(lambda _, args: tensors.update(last=args[0]))
    call(network)
    skip = tensors["last"][:, -tensors["first"].shape[1] :]
    torch.testing.assert_close(skip, tensors["first"] / 2**0.5)


def test_the_last_stage_trains_on_crops_and_draws_larger_images() -> None:
    network = build("demo_efficient_unet_crop")
    width = text_width(network)
    text, mask = torch.randn(1, 4, width), torch.ones(1, 4, dtype=torch.bool)
    for edge in (64, 128):
        z, low = torch.randn(1, 3, edge, edge), torch.randn(1, 3, edge // 4, edge // 4)
        logsnr = torch.zeros(1)
        assert network(z, logsnr, text, mask, low, logsnr).shape == z.shape


@torch.no_grad()
@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet", "demo_efficient_unet_crop"])
def test_a_network_compiles_to_one_graph(option: str) -> None:
    """With captions of every length: no graph breaks, and no recompilation for each."""
    network, counter = build(option), CompileCounter()
    torch.compiler.reset()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    width = text_width(network)
    for tokens in (5, 9, 12):
        text, mask = torch.randn(BATCH, tokens, width), torch.ones(BATCH, tokens, dtype=torch.bool)
        torch.testing.assert_close(
            call(compiled, text=text, mask=mask), call(network, text=text, mask=mask)
        )
    assert counter.frame_count <= 2, "once for the first length, once for any"
