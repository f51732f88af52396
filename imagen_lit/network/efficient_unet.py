"""The Efficient U-Net of the super-resolution stages (Imagen App. B.1, F.2, F.3; figs. A.27-A.30).

Same contract as `unet.UNet`. Three things differ: a level halves its input *before* its blocks and
doubles its output *after* them, so that all blocks work on the smaller picture; the blocks stand
mostly at low resolution; and skips are scaled by 1/sqrt(2). The last level attends: to itself and
the text, or, where the picture is too large for that, to the text only (`self_attention=False`).

`skips` says how many of a level's results, counted from its end, wait for the way up: 1 as the
figures draw it, as many as there are blocks as in ADM. `heads` times `head_width` may be more than
the level is wide. No norm's group has less than `group_width` channels. `checkpointing` spends work
to save memory.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.network.layers import (
    LogSNREmbedding,
    ResidualBlock,
    SelfTextAttention,
    TextAttention,
    TextPool,
    enlarge,
    group_norm,
    heard,
    require_halves,
    worked,
    zeroed,
)

SKIP_SCALE = 1 / math.sqrt(2)


class EfficientUNet(nn.Module):
    def __init__(
        self,
        text_width: int,
        first_channels: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        self_attention: bool,
        head_width: int = 64,
        embedding: int | None = None,
        picture_channels: int = 3,
        lowres_channels: int = 3,
        heads: int | None = None,
        skips: Sequence[int] | None = None,
        group_width: int = 16,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        embedding = embedding if embedding is not None else 4 * channels[0]
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding)
        self.embed_text = TextPool(text_width, embedding)
        self.first = nn.Conv2d(picture_channels + lowres_channels, first_channels, 3, padding=1)
        attention = SelfTextAttention if self_attention else TextAttention
        deepest = len(channels) - 1
        self.waiting = list(skips) if skips is not None else [1] * len(channels)

        def attend(level: int) -> nn.Module | None:
            if level != deepest:
                return None
            return attention(channels[level], text_width, head_width, heads, group_width)

        residual = partial(ResidualBlock, embedding=embedding, least=group_width)
        widths = [first_channels, *channels]
        self.down, self.up = nn.ModuleDict(), nn.ModuleDict()
        for i, width in enumerate(channels):
            self.down[f"level{i}"] = DownBlock(
                widths[i], width, blocks[i], residual, attend(i), checkpointing
            )
        for i, width in reversed(list(enumerate(channels))):
            taken = self.waiting[i] - (i == deepest)  # its last result is handed straight on
            self.up[f"level{i}"] = UpBlock(
                width, widths[i], blocks[i], taken, residual, attend(i), checkpointing
            )
        self.last_norm = group_norm(2 * first_channels, group_width)
        # The last convolution also sees the input itself. Norms forget how bright and how coloured
        # a picture is as a whole, and super-resolution that has only norms drifts in colour.
        seen = 2 * first_channels + picture_channels + lowres_channels
        self.last = zeroed(nn.Conv2d(seen, picture_channels, 3, padding=1))

    def forward(
        self,
        z: Tensor,
        logsnr: Tensor,
        text: Tensor,
        mask: Tensor,
        lowres: Tensor | None = None,
        lowres_logsnr: Tensor | None = None,
    ) -> Tensor:
        require_halves(z, len(self.down))
        given = torch.cat([z, enlarge(lowres, z)], dim=1)
        text = heard(text, mask)
        embedding = (
            self.embed_logsnr(logsnr)
            + self.embed_lowres_logsnr(lowres_logsnr)
            + self.embed_text(text, mask)
        )
        x = first = self.first(given)
        skips: list[list[Tensor]] = []
        for block, waiting in zip(self.down.values(), self.waiting, strict=True):
            results = block(x, embedding, text, mask)
            x = results[-1]
            skips.append(results[-waiting:])
        skips[-1].pop()
        for block in self.up.values():
            x = block(x, skips.pop(), embedding, text, mask)
        x = _beside(x, first)
        return self.last(torch.cat([F.silu(self.last_norm(x)), given], dim=1))


class DownBlock(nn.Module):
    """Halve, then work (fig. A.28). Answers with what each block made; the last is the level's."""

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
        self.shrink = nn.Conv2d(width_in, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(residual(width, width) for _ in range(blocks))
        self.attention, self.checkpointing = attention, checkpointing

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor) -> list[Tensor]:
        x = self.shrink(x)
        results = []
        for block in self.blocks:
            x = worked(block, x, embedding, again=self.checkpointing)
            results.append(x)
        if self.attention is not None:
            results[-1] = worked(self.attention, x, text, mask, again=self.checkpointing)
        return results


class UpBlock(nn.Module):
    """Work, then double (fig. A.29): a convolution makes four channels of each, which become four
    pixels. The first `skips` blocks each take a result of the way down, the latest first."""

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
        self.grow = nn.Sequential(nn.Conv2d(width, 4 * width_out, 3, padding=1), nn.PixelShuffle(2))

    def forward(
        self, x: Tensor, skips: list[Tensor], embedding: Tensor, text: Tensor, mask: Tensor
    ) -> Tensor:
        waiting = list(skips)
        for block in self.blocks:
            x = _beside(x, waiting.pop()) if waiting else x
            x = worked(block, x, embedding, again=self.checkpointing)
        if self.attention is not None:
            x = worked(self.attention, x, text, mask, again=self.checkpointing)
        return self.grow(x)


def _beside(x: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([x, skip * SKIP_SCALE], dim=1)
