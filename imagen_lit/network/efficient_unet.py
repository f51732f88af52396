"""The Efficient U-Net of the super-resolution stages (Imagen App. B.1, F.2, F.3; figs. A.27-A.30).

Same contract as `unet.UNet`. Three things differ: a level halves its input *before* its blocks and
doubles its output *after* them, so that all blocks work on the smaller picture; the blocks stand
mostly at low resolution; and skips are scaled by 1/sqrt(2). The last level attends: to itself and
the text, or, where the picture is too large for that, to the text only (`self_attention=False`).
"""

import math
from collections.abc import Sequence

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
    ) -> None:
        super().__init__()
        embedding = embedding if embedding is not None else 4 * channels[0]
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding)
        self.embed_text = TextPool(text_width, embedding)
        self.first = nn.Conv2d(picture_channels + lowres_channels, first_channels, 3, padding=1)
        attention = SelfTextAttention if self_attention else TextAttention
        deepest = len(channels) - 1

        def attend(level: int) -> nn.Module | None:
            wanted = level == deepest
            return attention(channels[level], text_width, head_width) if wanted else None

        widths = [first_channels, *channels]
        self.down = nn.ModuleDict(
            {
                f"level{i}": DownBlock(widths[i], widths[i + 1], blocks[i], embedding, attend(i))
                for i in range(len(channels))
            }
        )
        self.up = nn.ModuleDict(
            {
                f"level{i}": UpBlock(
                    widths[i + 1] * (1 if i == deepest else 2),
                    widths[i + 1],
                    widths[i],
                    blocks[i],
                    embedding,
                    attend(i),
                )
                for i in reversed(range(len(channels)))
            }
        )
        self.last_norm = group_norm(2 * first_channels)
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
        lowres: Tensor,
        lowres_logsnr: Tensor,
    ) -> Tensor:
        embedding = (
            self.embed_logsnr(logsnr)
            + self.embed_lowres_logsnr(lowres_logsnr)
            + self.embed_text(text, mask)
        )
        given = torch.cat([z, enlarge(lowres, z)], dim=1)
        x = self.first(given)
        skips = [x]
        for block in self.down.values():
            x = block(x, embedding, text, mask)
            skips.append(x)
        skips.pop()  # the deepest level hands its result straight on
        for block in self.up.values():
            x = block(x, embedding, text, mask)
            x = torch.cat([x, skips.pop() * SKIP_SCALE], dim=1)
        return self.last(torch.cat([F.silu(self.last_norm(x)), given], dim=1))


class DownBlock(nn.Module):
    """Halve, then work (fig. A.28)."""

    def __init__(
        self, width_in: int, width: int, blocks: int, embedding: int, attention: nn.Module | None
    ) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(width_in, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, width, embedding) for _ in range(blocks))
        self.attention = attention

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        x = self.shrink(x)
        for block in self.blocks:
            x = block(x, embedding)
        return x if self.attention is None else self.attention(x, text, mask)


class UpBlock(nn.Module):
    """Work, then double (fig. A.29): a convolution makes four channels of each, which become four
    pixels."""

    def __init__(
        self,
        width_in: int,
        width: int,
        width_out: int,
        blocks: int,
        embedding: int,
        attention: nn.Module | None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(width_in if i == 0 else width, width, embedding) for i in range(blocks)
        )
        self.attention = attention
        self.grow = nn.Sequential(nn.Conv2d(width, 4 * width_out, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x, embedding)
        x = x if self.attention is None else self.attention(x, text, mask)
        return self.grow(x)
