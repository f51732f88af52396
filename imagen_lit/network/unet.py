"""The paper's base network: a U-Net in the manner of ADM with text in its attention (Imagen App.
F.1).

Contract: `network(z, logsnr, text, mask, lowres=None, lowres_logsnr=None, reading=None)` returns a
tensor of the shape of `z` and does not know what it means. `network.read(text, mask)` is what many
passes with one text can share; given that `reading`, they do not look at the text. `channels`,
`blocks` and `attention` have one entry per resolution, the highest first. With `lowres_channels`
the network also takes a smaller image and the log-SNR of the noise in it. `text_channels` projects
the text to fewer channels, once, before every attention makes its keys and values from it. No group
of a norm has fewer than `group_width` channels. `checkpointing` saves memory for more work.

Switches: `conditioning` says how the text enters, `skip_scale` what is scaled by 1/sqrt(2), and
`skip_join` whether the encoder's outputs are concatenated or added (`skip.py`); `shortcut` which
residual blocks have a convolution on it (`layers.py`), `enlargement` the small image's kernel.

The blocks are in two flat dictionaries whose keys read like a floor plan: `level1_block0`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.basics import arguments
from imagen_lit.network.attention import Reading, mask_text
from imagen_lit.network.conditioning import Conditioning
from imagen_lit.network.enlargement import KERNELS, Enlargement
from imagen_lit.network.layers import (
    SHORTCUTS,
    Downsample,
    LastConv,
    LogSNREmbedding,
    ResidualBlock,
    Upsample,
    check_divisible,
    check_levels,
    check_widths,
    group_norm,
    run_checkpointed,
    zero_init,
)
from imagen_lit.network.skip import JOINS, Join, join, residual_sum
from imagen_lit.network.text_reading import TextReading


class UNet(nn.Module):
    """The base network; its arguments are described at the top of this file."""

    def __init__(
        self,
        text_width: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        attention: Sequence[bool],
        head_width: int = 64,
        embedding: int | None = None,
        image_channels: int = 3,
        lowres_channels: int = 0,
        text_channels: int | None = None,
        group_width: int = 16,
        checkpointing: bool = False,
        conditioning: Conditioning | None = None,
        skip_scale: str = "none",
        skip_join: str = JOINS[0],
        shortcut: str = SHORTCUTS[0],
        enlargement: str = KERNELS[0],
    ) -> None:
        super().__init__()
        check_levels(channels, blocks, attention=attention)
        check_widths(text_width=text_width, embedding=embedding, text_channels=text_channels)
        arguments.whole_number("network.lowres_channels", lowres_channels, 0)
        self.checkpointing, self.halvings = checkpointing, len(channels) - 1
        self.divisor = 2**self.halvings
        self.text_width = text_width
        conditioning = conditioning if conditioning is not None else Conditioning()
        embedding = embedding if embedding is not None else 4 * channels[0]
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding) if lowres_channels else None
        self.embed_text = conditioning.make_pool(text_width, embedding)
        self.project_text = conditioning.make_projection(text_width, text_channels)
        self.concat_lowres = Enlargement(enlargement)
        self.first = nn.Conv2d(image_channels + lowres_channels, channels[0], 3, padding=1)
        context_width = text_width if text_channels is None else text_channels

        residual = partial(
            ResidualBlock,
            embedding=embedding,
            group_width=group_width,
            add=residual_sum(skip_scale),
            shortcut=shortcut,
        )

        def attend(level: int, width: int) -> nn.Module | None:
            if not attention[level]:
                return None
            make = conditioning.make_attention
            return make(width, context_width, head_width, group_width=group_width)

        self.down, self.up, self.joins = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        width, skips = channels[0], [channels[0]]
        for level, out in enumerate(channels):
            if level:
                self.down[f"level{level}_downsample"] = _Block(
                    residual(width, width, resample=Downsample()), None
                )
                skips.append(width)
            for i in range(blocks[level]):
                block = residual(width, out)
                self.down[f"level{level}_block{i}"] = _Block(block, attend(level, out))
                width = out
                skips.append(width)
        self.middle = nn.ModuleList(
            [
                _Block(residual(width, width), attend(len(channels) - 1, width)),
                _Block(residual(width, width), None),
            ]
        )
        for level, out in reversed(list(enumerate(channels))):
            for i in range(blocks[level] + 1):
                joined: Join = join(skip_join, width, skips.pop(), skip_scale)
                self.joins[f"level{level}_block{i}"] = joined
                block = residual(joined.width, out)
                self.up[f"level{level}_block{i}"] = _Block(block, attend(level, out))
                width = out
            if level:
                self.up[f"level{level}_upsample"] = _Block(
                    residual(width, width, resample=Upsample()), None
                )
        self.last_norm = group_norm(width, group_width)
        self.last = zero_init(LastConv(width, image_channels, 3, padding=1))

    def read(self, text: Tensor, mask: Tensor) -> TextReading:
        """What of a pass depends on the text alone."""
        reading = self._begin(text, mask)
        blocks = [each.read(reading.tokens, reading.mask) for each in self._blocks]
        return reading._replace(blocks=blocks)

    def forward(
        self,
        z: Tensor,
        logsnr: Tensor,
        text: Tensor,
        mask: Tensor,
        lowres: Tensor | None = None,
        lowres_logsnr: Tensor | None = None,
        reading: TextReading | None = None,
    ) -> Tensor:
        """The output, in the shape of z."""
        check_divisible(z, self.halvings)
        reading = self._begin(text, mask) if reading is None else reading
        embedding = self.embed_logsnr(logsnr) + reading.pooled
        if self.embed_lowres_logsnr is not None:
            z = self.concat_lowres(z, lowres)
            embedding = embedding + self.embed_lowres_logsnr(lowres_logsnr)
        context, recompute = (embedding, reading.tokens, reading.mask), self.checkpointing
        readings = iter(reading.blocks)
        x = self.first(z)
        skips = [x]
        for block in self.down.values():
            x = run_checkpointed(block, x, *context, next(readings), recompute=recompute)
            skips.append(x)
        for block in self.middle:
            x = run_checkpointed(block, x, *context, next(readings), recompute=recompute)
        for name, block in self.up.items():
            if name in self.joins:
                x = self.joins[name](x, skips.pop())
            x = run_checkpointed(block, x, *context, next(readings), recompute=recompute)
        return self.last(F.silu(self.last_norm(x)))

    @property
    def _blocks(self) -> list[Any]:
        return [*self.down.values(), *self.middle, *self.up.values()]

    def _begin(self, text: Tensor, mask: Tensor) -> TextReading:
        """The part that all blocks share."""
        text = mask_text(text, mask)
        pooled, tokens = self.embed_text(text, mask), self.project_text(text)
        return TextReading(pooled, tokens, mask, [None] * len(self._blocks))


class _Block(nn.Module):
    """A residual block, followed by attention if there is any."""

    def __init__(self, block: nn.Module, attention: nn.Module | None) -> None:
        super().__init__()
        self.block = block
        self.attention: Any = attention

    def read(self, text: Tensor, mask: Tensor) -> Reading | None:
        return None if self.attention is None else self.attention.read(text, mask)

    def forward(
        self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor, reading: Reading | None
    ) -> Tensor:
        x = self.block(x, embedding)
        return x if self.attention is None else self.attention(x, text, mask, reading)
