"""What is scaled by the root of two, how skips join, and the ends of the Efficient U-Net."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tiny_network import BATCH, EDGE, build, call
from torch import Tensor, nn

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.network.efficient_unet import EfficientUNet
from imagen_lit.network.enlargement import KERNELS, Enlargement
from imagen_lit.network.layers import ResidualBlock
from imagen_lit.network.skip import SCALES, AddedSkip, residual_sum
from imagen_lit.network.unet import UNet
from imagen_lit.run import run_folder

ROOT = 2**0.5
# The demo's networks as runs recorded them before there were switches, and what they drew then.
FORMER: dict[str, Any] = {
    "demo_unet": (
        {"channels": [32, 64, 96], "blocks": [1, 2, 2], "attention": [False, True, True]},
        {"head_width": 32, "embedding": 128, "checkpointing": False},
        [-0.171693, 0.380787, 0.154866],
    ),
    "demo_efficient_unet": (
        {"first_channels": 16, "channels": [32, 64, 96], "blocks": [1, 2, 3]},
        {"self_attention": True, "head_width": 32, "embedding": 128, "checkpointing": False},
        [-0.231934, -0.024058, 1.139016],
    ),
    "demo_efficient_unet_crop": (
        {"first_channels": 8, "channels": [16, 32, 48], "blocks": [1, 1, 2]},
        {"self_attention": False, "head_width": 16, "embedding": 64, "checkpointing": False},
        [-0.557316, 1.073919, -0.268919],
    ),
}


@torch.no_grad()
@pytest.mark.parametrize("option", FORMER)
def test_a_config_without_the_switches_means_what_it_did(option: str) -> None:
    *parts, drawn = FORMER[option]
    kind = UNet if option == "demo_unet" else EfficientUNet
    former = kind(text_width=128, lowres_channels=3, **parts[0], **parts[1])
    today = build(option)
    assert list(former.state_dict()) == list(today.state_dict())
    former.load_state_dict(today.state_dict())
    assert torch.equal(call(former), call(today))
    torch.testing.assert_close(call(former)[0, :, 5, 7], torch.tensor(drawn), atol=1e-4, rtol=1e-4)


def block_by_hand(block: ResidualBlock, x: Tensor, e: Tensor, scale: str) -> Tensor:
    h = block.first(F.silu(block.first_norm(x)))
    factor, shift = block.scale_shift(F.silu(e))[:, :, None, None].chunk(2, dim=1)
    h = block.second(F.silu(block.second_norm(h) * (1 + factor) + shift))
    x = block.shortcut(x)
    return {"residual_sum": (x + h) / ROOT, "shortcut": x / ROOT + h}.get(scale, x + h)


@torch.no_grad()
@pytest.mark.parametrize("scale", SCALES)
def test_the_efficient_unet_scales_as_a_formula_says(scale: str) -> None:
    """One level of two blocks, both of which hand on a skip (Imagen App. B.1)."""
    torch.manual_seed(0)
    network = EfficientUNet(8, 8, [8], [2], True, 8, skips=[2], skip_scale=scale)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    seen: dict[str, Tensor] = {}
    block = network.down["level0"].blocks[0]
    block.register_forward_pre_hook(lambda _, args: seen.update(e=args[1]))
    g = torch.Generator().manual_seed(1)
    z, low = torch.randn(2, 3, 8, 8, generator=g), torch.randn(2, 3, 2, 2, generator=g)
    text, mask, t = torch.randn(2, 4, 8, generator=g), torch.ones(2, 4).bool(), torch.zeros(2)
    drawn = network(z, t, text, mask, low, t)

    down, up, e = network.down["level0"], network.up["level0"], seen["e"]
    factor = 1 / ROOT if scale == "skips" else 1
    inputs = torch.cat([z, F.interpolate(low, scale_factor=4, mode="bilinear")], 1)
    first = network.first(inputs)
    one = block_by_hand(down.blocks[0], down.downsample(first), e, scale)
    x = down.attention(block_by_hand(down.blocks[1], one, e, scale), text, mask)
    x = block_by_hand(up.blocks[0], torch.cat([x, one * factor], 1), e, scale)
    x = up.upsample(up.attention(block_by_hand(up.blocks[1], x, e, scale), text, mask))
    x = F.silu(network.last_norm(torch.cat([x, first * factor], 1)))
    torch.testing.assert_close(drawn, network.last(torch.cat([x, inputs], 1)))


@torch.no_grad()
def test_a_scaled_sum_keeps_the_variance_of_many_blocks() -> None:
    """Why SR3 scales it: independent branches of variance 1 have a sum of variance 1."""
    g = torch.Generator().manual_seed(0)
    x = plain = torch.randn(10_000, generator=g)
    for _ in range(8):
        h = torch.randn(10_000, generator=g)
        x, plain = residual_sum("residual_sum")(x, h), residual_sum("none")(plain, h)
    assert x.var() == pytest.approx(1, rel=0.05)
    assert plain.var() == pytest.approx(9, rel=0.05)


@torch.no_grad()
def test_an_added_skip_is_a_sum_through_a_convolution_where_it_is_wider() -> None:
    x, skip = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    plain = AddedSkip(4, 4, factor=0.5)
    assert list(plain.parameters()) == [] and torch.equal(plain(x, skip), x + skip / 2)
    wide, skip = AddedSkip(4, 6), torch.randn(2, 6, 3, 3)
    weight, bias = wide.project.weight[..., 0, 0], wide.project.bias
    by_hand = x + torch.einsum("oi,bihw->bohw", weight, skip) + bias[:, None, None]
    torch.testing.assert_close(wide(x, skip), by_hand)


@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet"])
def test_added_skips_reach_every_parameter(option: str) -> None:
    network = build(option, skip_join="added", skip_scale="skips")
    output = call(network)
    assert output.isfinite().all()
    output.square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("option", ["demo_unet", "demo_efficient_unet"])
def test_a_convolution_is_on_every_shortcut_or_where_widths_differ(option: str) -> None:
    for shortcut in ("always", "where_needed"):
        for part in build(option, shortcut=shortcut).modules():
            if isinstance(part, ResidualBlock):
                differ = part.first.in_channels != part.first.out_channels
                is_conv = isinstance(part.shortcut, nn.Conv2d)
                assert is_conv == (differ or shortcut == "always")


@torch.no_grad()
def test_the_end_of_the_efficient_unet_sees_what_it_is_shown() -> None:
    """16 channels from below, 16 of the first convolution, 6 of the input."""
    for long_skip in (True, False):
        for last_sees_input in (True, False):
            ends = {"long_skip": long_skip, "last_sees_input": last_sees_input}
            network = build("demo_efficient_unet", last_kernel=1, **ends)
            channels = 16 + 16 * long_skip + 6 * last_sees_input
            assert network.last.weight.shape == (3, channels, 1, 1)
            assert call(network).shape == (BATCH, 3, EDGE, EDGE)


@torch.no_grad()
@pytest.mark.parametrize("kernel", KERNELS)
def test_an_enlarged_image_has_the_colours_of_the_small_one(kernel: str) -> None:
    """A plain one stays plain; a ramp stays one inside, but in steps where pixels are repeated."""
    z, plain = torch.zeros(1, 3, 32, 32), torch.full((1, 3, 8, 8), 0.3)
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    shown = Enlargement(kernel)(z, plain)
    assert torch.equal(shown[:, :3], z)
    torch.testing.assert_close(shown[:, 3:], torch.full((1, 3, 32, 32), 0.3))
    row = Enlargement(kernel)(z, ramp)[0, 3, 0]
    position = (torch.arange(32) + 0.5) / 4 - 0.5  # of each pixel in the small image
    if kernel == "nearest":
        assert torch.equal(row, torch.arange(8.0).repeat_interleave(4))
    elif kernel == "bilinear":
        torch.testing.assert_close(row[2:-2], position[2:-2])
    else:  # torch's cubic, of a = -3/4, does not keep a ramp exactly
        torch.testing.assert_close(row[8:-8], position[8:-8], atol=0.1, rtol=0)
        assert not torch.equal(row, Enlargement("bilinear")(z, ramp)[0, 3, 0])


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("skip_scale=half", r"none of residual_sum, shortcut, skips, none\. Set network\.skip_sc"),
        ("skip_join=multiplied", r"none of concatenated, added\. Set"),
        ("shortcut=never", r"none of where_needed, always\. Set"),
        ("enlargement=lanczos", r"none of bilinear, bicubic, nearest\. Set"),
        ("last_kernel=2", r"is even, .*\. Set network\.last_kernel=3"),
        ("conditioning.pool=max", r"none of attention, mean, none\. Set network\.conditioning\.p"),
        ("conditioning.attention=on", r"none of concatenated, cross, none\. Set"),
    ],
)
def test_an_unknown_word_is_refused_in_a_sentence(word: str, sentence: str) -> None:
    cfg = config.compose("train", ["network=demo_efficient_unet", f"network.{word}"])
    with pytest.raises(Exception, match=sentence) as refusal:
        config.build(cfg.network)
    assert isinstance(refusal.value.__cause__ or refusal.value, InputError)


def test_a_run_is_not_resumed_with_another_switch(tmp_path: Any) -> None:
    run_folder.claim(tmp_path, config.compose("train", ["stage=demo_sr"]))
    others = {
        "network.conditioning.pool": "mean",
        "network.skip_scale": "residual_sum",
        "network.skip_join": "added",
        "network.shortcut": "always",
        "network.enlargement": "nearest",
        "network.long_skip": "false",
        "network.last_sees_input": "false",
        "network.last_kernel": "1",
    }
    words = ["stage=demo_sr", *(f"{key}={value}" for key, value in others.items())]
    with pytest.raises(InputError, match=r"belongs to a run with other settings") as refusal:
        run_folder.claim(tmp_path, config.compose("train", words))
    for key in others:
        assert f"{key} is " in str(refusal.value)
