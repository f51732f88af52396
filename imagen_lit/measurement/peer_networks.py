"""The U-Nets of other projects beside ours, of one shape: text to images, four resolutions with
channels 1, 2, 3 and 4 times the first, attention to the text at the lower three.

They are installed by the extra `peers`. Each is built as its authors' own pipeline for text to
images at 64x64 builds it, at this width; what is called is the network alone.
"""

import io
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from imagen_lit.network.unet import UNet

HEAD_WIDTH = 32  # channels of an attention head: it divides the widths, as diffusers needs
ATTENDS = (False, True, True, True)


@dataclass(frozen=True)
class Shape:
    """Of the images, the text and the networks."""

    batch: int
    size: int
    channels: int  # at the highest resolution
    blocks: int  # at each resolution
    text_width: int
    tokens: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each resolution."""
        return tuple(self.channels * times for times in (1, 2, 3, 4))

    @property
    def text_channels(self) -> int:
        """To which each network first projects the text."""
        return self.widths[-1]


@dataclass(frozen=True)
class Inputs:
    """z [B, 3, H, W], noise levels [B], text [B, L, D] without padding, and its mask."""

    z: Tensor
    level: Tensor
    text: Tensor
    mask: Tensor


@dataclass
class Contestant:
    """A network, and how it is called."""

    network: nn.Module
    call: Callable[[nn.Module, Inputs], Tensor]


def inputs(shape: Shape, device: torch.device) -> Inputs:
    """The same random numbers on every device."""
    numbers = torch.Generator().manual_seed(0)
    size = (shape.batch, 3, shape.size, shape.size)
    return Inputs(
        torch.randn(size, generator=numbers).to(device),
        torch.rand(shape.batch, generator=numbers).to(device),
        torch.randn(shape.batch, shape.tokens, shape.text_width, generator=numbers).to(device),
        torch.ones(shape.batch, shape.tokens, dtype=torch.bool, device=device),
    )


def ours(shape: Shape) -> Contestant:
    """The base's U-Net, in the memory format in which `Denoiser` calls it."""
    network = UNet(
        shape.text_width,
        shape.widths,
        (shape.blocks,) * 4,
        ATTENDS,
        head_width=HEAD_WIDTH,
        text_channels=shape.text_channels,
        group_width=1,
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def call(network: nn.Module, given: Inputs) -> Tensor:
        z = given.z.contiguous(memory_format=torch.channels_last)
        return network(z, given.level, given.text, given.mask)

    return Contestant(network, call)


def imagen_pytorch(shape: Shape) -> Contestant:
    """P. Wang's, with its own eight heads of 64; MIT."""
    from transformers import T5Config

    with mock.patch.object(T5Config, "from_pretrained", _config_without_network):
        from imagen_pytorch import Unet  # its import asks the hub for a width that is not used

    with redirect_stdout(io.StringIO()):  # advice about small networks
        network = Unet(
            dim=shape.channels,
            dim_mults=(1, 2, 3, 4),
            num_resnet_blocks=shape.blocks,
            layer_attns=ATTENDS,
            layer_cross_attns=ATTENDS,
            text_embed_dim=shape.text_width,
            cond_dim=shape.text_channels,
        )

    def call(network: nn.Module, given: Inputs) -> Tensor:
        return network(given.z, given.level, text_embeds=given.text, text_mask=given.mask)

    return Contestant(network, call)


def _config_without_network(name: str) -> Any:
    from transformers import T5Config

    return T5Config(d_model=768)


def diffusers(shape: Shape) -> Contestant:
    """Hugging Face's, with the blocks of DeepFloyd IF's first stage; Apache-2.0."""
    from diffusers import UNet2DConditionModel

    network = UNet2DConditionModel(
        sample_size=shape.size,
        in_channels=3,
        out_channels=3,
        layers_per_block=shape.blocks,
        block_out_channels=shape.widths,
        down_block_types=("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=(*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
        act_fn="gelu",
        attention_head_dim=HEAD_WIDTH,
        cross_attention_dim=shape.text_channels,
        encoder_hid_dim=shape.text_width,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=shape.text_width // HEAD_WIDTH,
        resnet_time_scale_shift="scale_shift",
        resnet_skip_time_act=True,
        time_embedding_act_fn="gelu",
    )

    def call(network: nn.Module, given: Inputs) -> Tensor:
        return network(given.z, 999 * given.level, given.text).sample

    return Contestant(network, call)


PEERS: Mapping[str, Callable[[Shape], Contestant]] = {
    "imagen-pytorch": imagen_pytorch,
    "diffusers": diffusers,
}
