"""The U-Net of DeepFloyd IF's three stages, so that its published weights can be drawn with and
trained further (docs/deepfloyd_if.md).

Same contract as `unet.UNet`, and the same floor plan; it returns twice the channels of z, the
second half for the variance (imagen_lit/diffusion/prediction.py). It was trained with the numbers
of steps, which `schedule.timestep` finds for a log-SNR. The small image of a super-resolution comes
at the size of the large one (imagen_lit/stage/augmentation.py), and the number of its own noise
level is embedded too.

`blocks` and `attention` have an entry for each level, the highest resolution first.
`self_attention=False` leaves attention to the text alone; `middle_self_attention` says it of the
middle. Two switches differ between the base and the others: where the `activation` of the
embedding is (`activates_once`: before all blocks; otherwise in each), and `residual_scale` and
`middle_scale`, by which the sum of a block's branches is divided.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from torch import Tensor, nn

from imagen_lit.basics import arguments
from imagen_lit.network.attention import Reading, mask_text
from imagen_lit.network.deepfloyd_layers import (
    ACTIVATIONS,
    Residual,
    TextAndSelfAttention,
    TextPool,
    TimestepEmbedding,
    group_norm,
)
from imagen_lit.network.enlargement import Enlargement
from imagen_lit.network.layers import (
    Downsample,
    LastConv,
    Upsample,
    check_divisible,
    check_levels,
    check_widths,
    run_checkpointed,
    zero_init,
)
from imagen_lit.network.skip import ConcatenatedSkip
from imagen_lit.network.text_reading import TextReading


class Steps(Protocol):
    """What the network needs of a schedule of discrete steps."""

    def timestep(self, logsnr: Tensor) -> Tensor:
        """The number of the step that is nearest."""


class DeepFloydUNet(nn.Module):
    """IF's network; its arguments are described at the top of this file."""

    def __init__(
        self,
        schedule: Steps,
        text_width: int,
        channels: Sequence[int],
        blocks: Sequence[int],
        attention: Sequence[bool],
        self_attention: bool = True,
        middle_self_attention: bool = True,
        head_width: int = 64,
        text_channels: int | None = None,
        pool_heads: int = 64,
        embedding: int | None = None,
        image_channels: int = 3,
        lowres_channels: int = 0,
        groups: int = 32,
        activation: str = "gelu",
        activates_once: bool = False,
        residual_scale: float = 1.0,
        middle_scale: float = 1.0,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_levels(channels, blocks, attention=attention)
        check_widths(text_width=text_width, embedding=embedding, text_channels=text_channels)
        arguments.choice("network.activation", activation, tuple(ACTIVATIONS))
        arguments.whole_number("network.lowres_channels", lowres_channels, 0)
        self.schedule, self.text_width = schedule, text_width
        self.checkpointing, self.halvings = checkpointing, len(channels) - 1
        self.activation, self.activates_once = ACTIVATIONS[activation], activates_once
        width = embedding if embedding is not None else 4 * channels[0]
        context_width = text_width if text_channels is None else text_channels
        self.embed_timestep = TimestepEmbedding(width, channels[0], self.activation)
        self.embed_lowres_timestep = (
            TimestepEmbedding(width, channels[0], self.activation) if lowres_channels else None
        )
        self.embed_text = TextPool(text_width, width, pool_heads)
        self.project_text = (
            nn.Identity() if text_channels is None else nn.Linear(text_width, text_channels)
        )
        self.concat_lowres = Enlargement()
        self.first = nn.Conv2d(image_channels + lowres_channels, channels[0], 3, padding=1)
        residual = partial(
            Residual,
            embedding=width,
            groups=groups,
            activation=self.activation,
            activates_embedding=not activates_once,
        )
        plain, middle = (partial(residual, scale=s) for s in (residual_scale, middle_scale))

        def attend(width: int, self_attention: bool) -> nn.Module:
            parts = width, context_width, head_width, self_attention, groups
            return TextAndSelfAttention(*parts)

        def attend_at(level: int) -> nn.Module | None:
            return attend(channels[level], self_attention) if attention[level] else None

        self.down, self.up, self.joins = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        width, skips = channels[0], [channels[0]]
        for level, out in enumerate(channels):
            if level:
                block = plain(width, width, resample=Downsample())
                self.down[f"level{level}_downsample"] = _Block(block, None)
                skips.append(width)
            for i in range(blocks[level]):
                self.down[f"level{level}_block{i}"] = _Block(plain(width, out), attend_at(level))
                width = out
                skips.append(width)
        self.middle = nn.ModuleList(
            [
                _Block(middle(width, width), attend(width, middle_self_attention)),
                _Block(middle(width, width), None),
            ]
        )
        for level, out in reversed(list(enumerate(channels))):
            for i in range(blocks[level] + 1):
                joined = ConcatenatedSkip(width, skips.pop())
                self.joins[f"level{level}_block{i}"] = joined
                block = plain(joined.width, out)
                self.up[f"level{level}_block{i}"] = _Block(block, attend_at(level))
                width = out
            if level:
                block = plain(width, width, resample=Upsample())
                self.up[f"level{level}_upsample"] = _Block(block, None)
        self.last_norm = group_norm(width, groups)
        self.last = zero_init(LastConv(width, 2 * image_channels, 3, padding=1))

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
        """The output [B, 2 C, H, W] for z [B, C, H, W]."""
        check_divisible(z, self.halvings)
        reading = self._begin(text, mask) if reading is None else reading
        embedding = self.embed_timestep(self.schedule.timestep(logsnr)) + reading.pooled
        if self.embed_lowres_timestep is not None:
            z = self.concat_lowres(z, lowres)
            level = self.schedule.timestep(lowres_logsnr)  # type: ignore[arg-type]
            embedding = embedding + self.embed_lowres_timestep(level)
        if self.activates_once:
            embedding = self.activation(embedding)
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
        return self.last(self.activation(self.last_norm(x)))

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
