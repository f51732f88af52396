"""The Efficient U-Net of the super-resolution stages (Imagen App. B.1, F.2, F.3; figs. A.27-A.30).

Same contract as `unet.UNet`. Three things differ: a level downsamples *before* its blocks and
upsamples *after* them, so that all blocks work on the smaller image; most blocks are at low
resolution; and skips are scaled by 1/sqrt(2). The last level has attention: to itself and the text
or, where the image is too large for that, to the text only (`self_attention=False`).

`skips` says how many of a level's block outputs, counted from the last, go to the decoder: 1 as the
figures draw it, all as in ADM. `heads` times `head_width` may be more than the level's channels. No
group of a norm has fewer than `group_width` channels. `checkpointing` saves memory for more work.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.network.attention import SelfTextAttention, TextAttention, TextPool, mask_text
from imagen_lit.network.layers import (
    LastConv,
    LogSNREmbedding,
    ResidualBlock,
    check_divisible,
    check_levels,
    check_widths,
    concat_lowres,
    group_norm,
    run_checkpointed,
    zero_init,
)

SKIP_SCALE = 1 / math.sqrt(2)


class EfficientUNet(nn.Module):
    """The super-resolution network; its arguments are described at the top of this file."""

    def __init__(
        self,
        text_width: int,
        first_channels: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        self_attention: bool,
        head_width: int = 64,
        embedding: int | None = None,
        image_channels: int = 3,
        lowres_channels: int = 3,
        heads: int | None = None,
        skips: Sequence[int] | None = None,
        group_width: int = 16,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_levels(channels, blocks, skips=skips)
        check_widths(text_width=text_width, first_channels=first_channels, embedding=embedding)
        check_widths(lowres_channels=lowres_channels, heads=heads)
        embedding = embedding if embedding is not None else 4 * channels[0]
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding)
        self.embed_text = TextPool(text_width, embedding)
        self.first = nn.Conv2d(image_channels + lowres_channels, first_channels, 3, padding=1)
        attention = SelfTextAttention if self_attention else TextAttention
        deepest = len(channels) - 1
        self.skip_counts = list(skips) if skips is not None else [1] * len(channels)

        def attend(level: int) -> nn.Module | None:
            if level != deepest:
                return None
            return attention(channels[level], text_width, head_width, heads, group_width)

        residual = partial(ResidualBlock, embedding=embedding, group_width=group_width)
        widths = [first_channels, *channels]
        self.down, self.up = nn.ModuleDict(), nn.ModuleDict()
        for i, width in enumerate(channels):
            self.down[f"level{i}"] = DownBlock(
                widths[i], width, blocks[i], residual, attend(i), checkpointing
            )
        for i, width in reversed(list(enumerate(channels))):
            count = self.skip_counts[i] - (i == deepest)  # its last output is passed on directly
            self.up[f"level{i}"] = UpBlock(
                width, widths[i], blocks[i], count, residual, attend(i), checkpointing
            )
        self.last_norm = group_norm(2 * first_channels, group_width)
        # The last convolution also sees the input itself: norms remove an image's mean brightness
        # and colour, and super-resolution from normed features alone drifts in colour.
        channels_in = 2 * first_channels + image_channels + lowres_channels
        self.last = zero_init(LastConv(channels_in, image_channels, 3, padding=1))

    def forward(
        self,
        z: Tensor,
        logsnr: Tensor,
        text: Tensor,
        mask: Tensor,
        lowres: Tensor | None = None,
        lowres_logsnr: Tensor | None = None,
    ) -> Tensor:
        """The output, in the shape of z."""
        check_divisible(z, len(self.down))
        inputs = concat_lowres(z, lowres)
        text = mask_text(text, mask)
        embedding = (
            self.embed_logsnr(logsnr)
            + self.embed_lowres_logsnr(lowres_logsnr)
            + self.embed_text(text, mask)
        )
        x = first = self.first(inputs)
        skips: list[list[Tensor]] = []
        for block, count in zip(self.down.values(), self.skip_counts, strict=True):
            outputs = block(x, embedding, text, mask)
            x = outputs[-1]
            skips.append(outputs[-count:])
        skips[-1].pop()
        for block in self.up.values():
            x = block(x, skips.pop(), embedding, text, mask)
        x = _concat_skip(x, first)
        return self.last(torch.cat([F.silu(self.last_norm(x)), inputs], dim=1))


class DownBlock(nn.Module):
    """Downsample, then the blocks (fig. A.28). The result is the output of each, the last one with
    attention."""

    def __init__(
        self,
        width_in: int,
        width: int,
        blocks: int,
        residual: Callable[..., nn.Module],
        attention: nn.Module | None,
        checkpointing: bool,
    ) -> None:
        super().__init__()
        self.downsample = nn.Conv2d(width_in, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(residual(width, width) for _ in range(blocks))
        self.attention, self.checkpointing = attention, checkpointing

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor) -> list[Tensor]:
        """The outputs of all blocks."""
        x = self.downsample(x)
        outputs = []
        for block in self.blocks:
            x = run_checkpointed(block, x, embedding, recompute=self.checkpointing)
            outputs.append(x)
        if self.attention is not None:
            outputs[-1] = run_checkpointed(
                self.attention, x, text, mask, recompute=self.checkpointing
            )
        return outputs


class UpBlock(nn.Module):
    """The blocks, then upsample (fig. A.29): a convolution turns each channel into four, which
    become four pixels. The first `skips` blocks each take an output of the encoder, the latest
    first."""

    def __init__(
        self,
        width: int,
        width_out: int,
        blocks: int,
        skips: int,
        residual: Callable[..., nn.Module],
        attention: nn.Module | None,
        checkpointing: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            residual(width * (2 if i < skips else 1), width) for i in range(blocks)
        )
        self.attention, self.checkpointing = attention, checkpointing
        self.upsample = nn.Sequential(
            nn.Conv2d(width, 4 * width_out, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(
        self, x: Tensor, skips: list[Tensor], embedding: Tensor, text: Tensor, mask: Tensor
    ) -> Tensor:
        """x at twice the resolution."""
        remaining = list(skips)
        for block in self.blocks:
            x = _concat_skip(x, remaining.pop()) if remaining else x
            x = run_checkpointed(block, x, embedding, recompute=self.checkpointing)
        if self.attention is not None:
            x = run_checkpointed(self.attention, x, text, mask, recompute=self.checkpointing)
        return self.upsample(x)


def _concat_skip(x: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([x, skip * SKIP_SCALE], dim=1)
