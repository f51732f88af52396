"""The paper's base network: a U-Net in the manner of ADM with text in its attention (Imagen App.
F.1).

Contract: `network(z, logsnr, text, mask, lowres=None, lowres_logsnr=None)` answers in the shape of
`z` and does not know what its answer means. One entry of `channels`, `blocks` and `attention` for
every edge length, the largest first. With `lowres_channels` it also takes a smaller picture and
the log-SNR of the noise in it. `text_channels` narrows the text, once for all attention, before
every attention makes its keys and values of it. No norm's group has less than `group_width`
channels. `checkpointing` spends work to save memory.

The blocks stand in two flat dictionaries whose keys read like a floor plan: `level1_block0`.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.network.layers import (
    Double,
    Half,
    LogSNREmbedding,
    ResidualBlock,
    SelfTextAttention,
    TextPool,
    enlarge,
    group_norm,
    heard,
    narrowed,
    require_halves,
    worked,
    zeroed,
)


class UNet(nn.Module):
    def __init__(
        self,
        text_width: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        attention: Sequence[bool],
        head_width: int = 64,
        embedding: int | None = None,
        picture_channels: int = 3,
        lowres_channels: int = 0,
        text_channels: int | None = None,
        group_width: int = 16,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.checkpointing, self.halvings = checkpointing, len(channels) - 1
        embedding = embedding if embedding is not None else 4 * channels[0]
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding) if lowres_channels else None
        self.embed_text = TextPool(text_width, embedding)
        self.narrow_text = narrowed(text_width, text_channels)
        self.first = nn.Conv2d(picture_channels + lowres_channels, channels[0], 3, padding=1)
        read = text_width if text_channels is None else text_channels

        residual = partial(ResidualBlock, embedding=embedding, least=group_width)

        def attend(level: int, width: int) -> nn.Module | None:
            if not attention[level]:
                return None
            return SelfTextAttention(width, read, head_width, least=group_width)

        self.down, self.up = nn.ModuleDict(), nn.ModuleDict()
        width, skips = channels[0], [channels[0]]
        for level, out in enumerate(channels):
            if level:
                self.down[f"level{level}_half"] = _Step(
                    residual(width, width, resample=Half()), None
                )
                skips.append(width)
            for i in range(blocks[level]):
                block = residual(width, out)
                self.down[f"level{level}_block{i}"] = _Step(block, attend(level, out))
                width = out
                skips.append(width)
        self.middle = nn.ModuleList(
            [
                _Step(residual(width, width), attend(len(channels) - 1, width)),
                _Step(residual(width, width), None),
            ]
        )
        for level, out in reversed(list(enumerate(channels))):
            for i in range(blocks[level] + 1):
                block = residual(width + skips.pop(), out)
                self.up[f"level{level}_block{i}"] = _Step(block, attend(level, out))
                width = out
            if level:
                self.up[f"level{level}_double"] = _Step(
                    residual(width, width, resample=Double()), None
                )
        self.last_norm = group_norm(width, group_width)
        self.last = zeroed(nn.Conv2d(width, picture_channels, 3, padding=1))

    def forward(
        self,
        z: Tensor,
        logsnr: Tensor,
        text: Tensor,
        mask: Tensor,
        lowres: Tensor | None = None,
        lowres_logsnr: Tensor | None = None,
    ) -> Tensor:
        require_halves(z, self.halvings)
        text = heard(text, mask)
        embedding = self.embed_logsnr(logsnr) + self.embed_text(text, mask)
        if self.embed_lowres_logsnr is not None:
            z = torch.cat([z, enlarge(lowres, z)], dim=1)
            embedding = embedding + self.embed_lowres_logsnr(lowres_logsnr)
        given, again = (embedding, self.narrow_text(text), mask), self.checkpointing
        x = self.first(z)
        skips = [x]
        for step in self.down.values():
            x = worked(step, x, *given, again=again)
            skips.append(x)
        for step in self.middle:
            x = worked(step, x, *given, again=again)
        for name, step in self.up.items():
            if not name.endswith("_double"):
                x = torch.cat([x, skips.pop()], dim=1)
            x = worked(step, x, *given, again=again)
        return self.last(F.silu(self.last_norm(x)))


class _Step(nn.Module):
    """A residual block, and attention behind it where there is any."""

    def __init__(self, block: nn.Module, attention: nn.Module | None) -> None:
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        x = self.block(x, embedding)
        return x if self.attention is None else self.attention(x, text, mask)
