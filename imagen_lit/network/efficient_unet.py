"""The Efficient U-Net of the super-resolution stages (Imagen App. B.1, F.2, F.3; figs. A.27-A.30).

Same contract as `unet.UNet`. Three things differ: a level downsamples *before* its blocks and
upsamples *after* them, so that all blocks work on the smaller image; most blocks are at low
resolution; and skips are scaled by 1/sqrt(2). The last level has attention: to itself and the text
or, where the image is too large for that, to the text only (`self_attention=False`).
`conditioning` says how the text enters; by default its keys are concatenated, or cross-attention
has them where there is no self-attention.

`skips` says how many of a level's block outputs, counted from the last, go to the decoder: 1 as the
figures draw it, all as in ADM. `heads` times `head_width` may be more than the level's channels. No
group of a norm has fewer than `group_width` channels. `checkpointing` saves memory for more work.

Switches: `skip_scale` says what is scaled by 1/sqrt(2), and `skip_join` whether the encoder's
outputs are concatenated or added (`skip.py`); `shortcut` which residual blocks have a convolution
on it (`layers.py`), `enlargement` the small image's kernel. With `long_skip` the end of the network
also sees the first convolution's output; with `last_sees_input` the last convolution, of
`last_kernel` pixels, also sees z and the enlarged image.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.network.attention import Reading, mask_text
from imagen_lit.network.conditioning import Conditioning
from imagen_lit.network.enlargement import KERNELS, Enlargement
from imagen_lit.network.layers import (
    SHORTCUTS,
    LastConv,
    LogSNREmbedding,
    ResidualBlock,
    check_divisible,
    check_kernel,
    check_levels,
    check_widths,
    group_norm,
    run_checkpointed,
    zero_init,
)
from imagen_lit.network.skip import JOINS, ConcatenatedSkip, Join, NoSkip, join, residual_sum
from imagen_lit.network.text_reading import TextReading


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
        conditioning: Conditioning | None = None,
        skip_scale: str = "skips",
        skip_join: str = JOINS[0],
        shortcut: str = SHORTCUTS[0],
        enlargement: str = KERNELS[0],
        long_skip: bool = True,
        last_sees_input: bool = True,
        last_kernel: int = 3,
    ) -> None:
        super().__init__()
        check_levels(channels, blocks, skips=skips)
        check_widths(text_width=text_width, first_channels=first_channels, embedding=embedding)
        check_widths(lowres_channels=lowres_channels, heads=heads)
        check_kernel(last_kernel)
        embedding = embedding if embedding is not None else 4 * channels[0]
        if conditioning is None:  # what it was before it could be chosen
            conditioning = Conditioning(attention="concatenated" if self_attention else "cross")
        self.text_width, self.divisor = text_width, 2 ** len(channels)
        self.embed_logsnr = LogSNREmbedding(embedding)
        self.embed_lowres_logsnr = LogSNREmbedding(embedding)
        self.embed_text = conditioning.make_pool(text_width, embedding)
        self.concat_lowres = Enlargement(enlargement)
        self.first = nn.Conv2d(image_channels + lowres_channels, first_channels, 3, padding=1)
        deepest = len(channels) - 1
        self.skip_counts = list(skips) if skips is not None else [1] * len(channels)

        def attend(level: int) -> nn.Module | None:
            if level != deepest:
                return None
            make = partial(conditioning.make_attention, self_attention=self_attention)
            return make(channels[level], text_width, head_width, heads, group_width)

        residual = partial(
            ResidualBlock,
            embedding=embedding,
            group_width=group_width,
            add=residual_sum(skip_scale),
            shortcut=shortcut,
        )
        join_skip = partial(join, skip_join, scale=skip_scale)
        widths = [first_channels, *channels]
        self.down, self.up = nn.ModuleDict(), nn.ModuleDict()
        for i, width in enumerate(channels):
            self.down[f"level{i}"] = DownBlock(
                widths[i], width, blocks[i], residual, attend(i), checkpointing
            )
        for i, width in reversed(list(enumerate(channels))):
            count = self.skip_counts[i] - (i == deepest)  # its last output is passed on directly
            self.up[f"level{i}"] = UpBlock(
                width, widths[i], blocks[i], count, residual, join_skip, attend(i), checkpointing
            )
        width = first_channels
        self.join_first: Join = join_skip(width, width) if long_skip else NoSkip(width)
        width = self.join_first.width
        self.last_norm = group_norm(width, group_width)
        # Why it sees the input itself: norms remove an image's mean brightness and colour, and
        # super-resolution from normed features alone drifts in colour.
        show_input = ConcatenatedSkip(width, image_channels + lowres_channels)
        self.show_input: Join = show_input if last_sees_input else NoSkip(width)
        width, padding = self.show_input.width, last_kernel // 2
        self.last = zero_init(LastConv(width, image_channels, last_kernel, padding=padding))

    def read(self, text: Tensor, mask: Tensor) -> TextReading:
        """What of a pass depends on the text alone."""
        reading = self._begin(text, mask)
        blocks = [each.read(reading.tokens, mask) for each in self._blocks]
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
        check_divisible(z, len(self.down))
        inputs = self.concat_lowres(z, lowres)
        reading = self._begin(text, mask) if reading is None else reading
        embedding = (
            self.embed_logsnr(logsnr) + self.embed_lowres_logsnr(lowres_logsnr) + reading.pooled
        )
        context, readings = (embedding, reading.tokens, reading.mask), iter(reading.blocks)
        x = first = self.first(inputs)
        skips: list[list[Tensor]] = []
        for block, count in zip(self.down.values(), self.skip_counts, strict=True):
            outputs = block(x, *context, next(readings))
            x = outputs[-1]
            skips.append(outputs[-count:])
        skips[-1].pop()
        for block in self.up.values():
            x = block(x, skips.pop(), *context, next(readings))
        x = self.join_first(x, first)
        return self.last(self.show_input(F.silu(self.last_norm(x)), inputs))

    @property
    def _blocks(self) -> list[Any]:
        return [*self.down.values(), *self.up.values()]

    def _begin(self, text: Tensor, mask: Tensor) -> TextReading:
        """The part that all blocks share."""
        text = mask_text(text, mask)
        return TextReading(self.embed_text(text, mask), text, mask, [None] * len(self._blocks))


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
        self.attention: Any = attention
        self.checkpointing = checkpointing

    def read(self, text: Tensor, mask: Tensor) -> Reading | None:
        """What its attention reads, if there is any."""
        return None if self.attention is None else self.attention.read(text, mask)

    def forward(
        self, x: Tensor, embedding: Tensor, text: Tensor, mask: Tensor, reading: Reading | None
    ) -> list[Tensor]:
        """The outputs of all blocks."""
        x = self.downsample(x)
        outputs = []
        for block in self.blocks:
            x = run_checkpointed(block, x, embedding, recompute=self.checkpointing)
            outputs.append(x)
        if self.attention is not None:
            outputs[-1] = run_checkpointed(
                self.attention, x, text, mask, reading, recompute=self.checkpointing
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
        join_skip: Callable[[int, int], Join],
        attention: nn.Module | None,
        checkpointing: bool,
    ) -> None:
        super().__init__()
        joins = [join_skip(width, width) if i < skips else NoSkip(width) for i in range(blocks)]
        self.joins = nn.ModuleList(joins)
        self.blocks = nn.ModuleList(residual(each.width, width) for each in joins)
        self.attention: Any = attention
        self.checkpointing = checkpointing
        self.upsample = nn.Sequential(
            nn.Conv2d(width, 4 * width_out, 3, padding=1), nn.PixelShuffle(2)
        )

    def read(self, text: Tensor, mask: Tensor) -> Reading | None:
        """What its attention reads, if there is any."""
        return None if self.attention is None else self.attention.read(text, mask)

    def forward(
        self,
        x: Tensor,
        skips: list[Tensor],
        embedding: Tensor,
        text: Tensor,
        mask: Tensor,
        reading: Reading | None,
    ) -> Tensor:
        """x at twice the resolution."""
        remaining = list(skips)
        for join_next, block in zip(self.joins, self.blocks, strict=True):
            x = join_next(x, remaining.pop()) if remaining else x
            x = run_checkpointed(block, x, embedding, recompute=self.checkpointing)
        if self.attention is not None:
            x = run_checkpointed(
                self.attention, x, text, mask, reading, recompute=self.checkpointing
            )
        return self.upsample(x)
