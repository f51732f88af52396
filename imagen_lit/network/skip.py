"""What joins two paths of a network: a residual block's two branches, and a decoder with the
encoder's outputs.

Imagen scales "skip connections" by 1/sqrt(2) (App. B.1), which three projects read in three ways:
`residual_sum` is (shortcut + h) / sqrt(2) in every residual block (SR3, DeepFloyd IF), `shortcut`
is shortcut / sqrt(2) + h (NeMo), `skips` is skip / sqrt(2) where an encoder's output joins the
decoder (imagen-pytorch). `none` scales nothing, as in ADM.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagen_lit.basics import arguments

FACTOR = 1 / math.sqrt(2)
SCALES = ("residual_sum", "shortcut", "skips", "none")
JOINS = ("concatenated", "added")
Sum = Callable[[Tensor, Tensor], Tensor]


def plain_sum(shortcut: Tensor, h: Tensor) -> Tensor:
    """The two branches of a residual block."""
    return shortcut + h


def scaled_sum(shortcut: Tensor, h: Tensor) -> Tensor:
    """Of the same variance as each of its branches."""
    return (shortcut + h) * FACTOR


def sum_of_scaled_shortcut(shortcut: Tensor, h: Tensor) -> Tensor:
    """Only the shortcut is scaled."""
    return shortcut * FACTOR + h


def residual_sum(scale: str) -> Sum:
    """How a residual block adds its branches."""
    arguments.choice("network.skip_scale", scale, SCALES)
    sums = {"residual_sum": scaled_sum, "shortcut": sum_of_scaled_shortcut}
    return sums.get(scale, plain_sum)


def skip_factor(scale: str) -> float:
    """Of an encoder's output where it joins the decoder."""
    return FACTOR if arguments.choice("network.skip_scale", scale, SCALES) == "skips" else 1.0


class ConcatenatedSkip(nn.Module):
    """The skip's channels after the decoder's own: more of them."""

    def __init__(self, width: int, skip_width: int, factor: float = 1.0) -> None:
        super().__init__()
        self.width, self.factor = width + skip_width, factor

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x [B, C, H, W] and skip [B, S, H, W] -> [B, C + S, H, W]."""
        return torch.cat([x, skip if self.factor == 1 else skip * self.factor], dim=1)


class AddedSkip(nn.Module):
    """The skip added to the decoder's own channels, through a 1x1 convolution where it has more or
    fewer of them."""

    def __init__(self, width: int, skip_width: int, factor: float = 1.0) -> None:
        super().__init__()
        self.width, self.factor = width, factor
        is_same = width == skip_width
        self.project = nn.Identity() if is_same else nn.Conv2d(skip_width, width, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x [B, C, H, W] and skip [B, S, H, W] -> [B, C, H, W]."""
        skip = self.project(skip)
        return x + (skip if self.factor == 1 else skip * self.factor)


class NoSkip(nn.Module):
    """The decoder's channels alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x [B, C, H, W], as it is."""
        return x


Join = ConcatenatedSkip | AddedSkip | NoSkip


def join(kind: str, width: int, skip_width: int, scale: str) -> Join:
    """The layer that joins a skip so wide to a decoder so wide, and knows how wide both are
    together."""
    arguments.choice("network.skip_join", kind, JOINS)
    factor = skip_factor(scale)
    if kind == "added":
        return AddedSkip(width, skip_width, factor)
    return ConcatenatedSkip(width, skip_width, factor)
