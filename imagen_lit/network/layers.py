"""The layers that both U-Nets are built from. They know neither time, nor the meaning of noise
levels, nor stages.

Shapes: B images, C channels, H W edges, E embedding width.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.network import doubled_conv
from imagen_lit.network.skip import Sum, plain_sum

SHORTCUTS = ("where_needed", "always")


def group_norm(channels: int, group_width: int = 16) -> nn.GroupNorm:
    """32 groups as in ADM, or fewer, so that none has fewer than `group_width` channels, because
    small groups are slow on a CPU."""
    arguments.whole_number("network.group_width", group_width, 1)
    return nn.GroupNorm(math.gcd(32, max(1, channels // group_width)), channels)


def zero_init(layer: nn.Module) -> nn.Module:
    """A layer whose output starts as zero, so that every residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class LastConv(nn.Conv2d):
    """The convolution that a network ends with, in float32 under any autocast: near t=1 a clean
    estimate multiplies its rounding by up to 1/alpha, which is in the thousands."""

    in_float32 = True  # see fsdp.py

    def forward(self, input: Tensor) -> Tensor:
        """As any convolution."""
        device = input.device.type
        if not torch.amp.is_autocast_available(device):  # of tensors without contents
            return super().forward(input)
        with torch.autocast(device, enabled=False):
            dtype = torch.promote_types(input.dtype, torch.float32)
            bias = None if self.bias is None else self.bias.to(dtype)
            return self._conv_forward(input.to(dtype), self.weight.to(dtype), bias)


class LogSNREmbedding(nn.Module):
    """log-SNR [B] -> [B, E]: sines and cosines, then two dense layers.

    That it is the log-SNR, and of 32 frequencies from 0.01 to 10, is ours: the paper names neither
    (§ 2.5), and a discrete step, which ADM embeds, means nothing without its schedule.
    """

    frequencies: Tensor
    in_float32 = True  # see fsdp.py

    def __init__(self, width: int, waves: int = 64) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(-2, 1, waves // 2), persistent=False)
        self.dense = nn.Sequential(nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, logsnr: Tensor) -> Tensor:
        """[B] -> [B, E]."""
        angles = logsnr.float().unsqueeze(-1) * self.frequencies
        return self.dense(torch.cat([angles.sin(), angles.cos()], dim=-1))


class ResidualBlock(nn.Module):
    """Norm, swish, convolution, twice; the embedding scales and shifts the second norm (ADM,
    Imagen F.1).

    `resample` changes the resolution inside the block, on both of its branches ("biggan" blocks).
    `add` joins them. `shortcut` is a convolution `always` (Imagen Fig. A.27), or only where the
    widths differ, `where_needed` (ADM).
    """

    is_compiled_alone = True

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        resample: nn.Module | None = None,
        group_width: int = 16,
        add: Sum = plain_sum,
        shortcut: str = SHORTCUTS[0],
    ) -> None:
        super().__init__()
        arguments.choice("network.shortcut", shortcut, SHORTCUTS)
        self.add = add
        self.resample = resample if resample is not None else nn.Identity()
        self.first_norm = group_norm(channels_in, group_width)
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * channels)
        self.second_norm = group_norm(channels, group_width)
        self.second = zero_init(nn.Conv2d(channels, channels, 3, padding=1))
        is_same = channels_in == channels and shortcut != "always"
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x [B, C, H, W] and embedding [B, E] -> [B, C', H', W']."""
        h = self._first(F.silu(self.first_norm(x)))
        scale, shift = self.scale_shift(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = self.second(F.silu(self.second_norm(h) * (1 + scale) + shift))
        return self.add(self.shortcut(self.resample(x)), h)

    def _first(self, h: Tensor) -> Tensor:
        """The first convolution, of the picture at its new resolution."""
        if isinstance(self.resample, Upsample) and doubled_conv.is_faster(h):
            return doubled_conv.conv_of_doubled(h, self.first.weight, self.first.bias)
        return self.first(self.resample(h))


class Downsample(nn.Module):
    """Half the edge, by averaging."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H/2, W/2]."""
        return F.avg_pool2d(x, 2)


class Upsample(nn.Module):
    """Twice the edge, by repeating."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        return F.interpolate(x, scale_factor=2.0, mode="nearest")


def check_levels(
    channels: Sequence[int], blocks: Sequence[int], **others: Sequence[Any] | None
) -> None:
    """Raise unless every list has one entry for each level, and the numbers make sense."""
    arguments.equal_lengths("network", channels=channels, blocks=blocks, **others)
    for width in channels:
        arguments.whole_number("network.channels", width, 1)
    for count in blocks:
        arguments.whole_number("network.blocks", count, 0)


def check_widths(**widths: int | None) -> None:
    """Raise unless each number of channels is at least 1, or left out."""
    for name, width in widths.items():
        if width is not None:
            arguments.whole_number(f"network.{name}", width, 1)


def check_kernel(last_kernel: int) -> None:
    """Raise unless the last convolution's kernel has a middle pixel."""
    if arguments.whole_number("network.last_kernel", last_kernel, 1) % 2 == 0:
        raise InputError(
            f"network.last_kernel={last_kernel} is even, so it has no middle pixel. "
            "Set network.last_kernel=3, for example."
        )


def check_divisible(z: Tensor, halvings: int) -> None:
    """Raise if the edges of an image cannot be halved so many times."""
    step = 2**halvings
    height, width = z.shape[-2:]
    if height % step or width % step:
        near = max(step, width // step * step)
        raise InputError(
            f"images of {height} x {width} pixels cannot be halved {halvings} times: their edges "
            f"are not multiples of {step}. Set data.size={near} or {near + step}, or the same for "
            "data.crop."
        )


def run_checkpointed(block: nn.Module, *inputs: Any, recompute: bool) -> Tensor:
    """block(*inputs). With `recompute` (gradient checkpointing) its activations are not stored but
    computed again in the backward pass: the same gradients for a third more work and a fraction of
    the memory."""
    if not (recompute and torch.is_grad_enabled()):
        return block(*inputs)
    return checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False)
