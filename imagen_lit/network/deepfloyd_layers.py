"""The layers of DeepFloyd IF's U-Net that are not ours: what differs is said with each.

Shapes: B images, C channels, H W edges, L tokens, D text width, E embedding width. A text comes
as (text [B, L, D], mask [B, L]). Law: what is in a masked position cannot change any output. IF
masks nothing: a caption of its encoder is as long as the longest (imagen_lit/text/full_length.py).
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.network.attention import Reading, attend, split_heads
from imagen_lit.network.layers import zero_init

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "silu": F.silu}
Activation = Callable[[Tensor], Tensor]
PERIOD = 10_000  # of the slowest wave; Ho et al. 2020


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """So many groups, or the most of them that divide the channels."""
    return nn.GroupNorm(math.gcd(groups, channels), channels)


class TimestepEmbedding(nn.Module):
    """The number of a step [B] -> [B, E]: cosines and sines, then two dense layers. Ours embeds the
    log-SNR."""

    in_float32 = True  # see imagen_lit/stage/fsdp.py

    def __init__(self, width: int, waves: int, activation: Activation) -> None:
        super().__init__()
        self.waves, self.activation = waves, activation
        self.first, self.second = nn.Linear(waves, width), nn.Linear(width, width)

    def forward(self, timestep: Tensor) -> Tensor:
        """[B] -> [B, E]."""
        half = self.waves // 2
        numbers = torch.arange(half, device=timestep.device, dtype=torch.float32)
        angles = timestep.float()[:, None] * torch.exp(-math.log(PERIOD) / half * numbers)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.second(self.activation(self.first(waves)))


class TextPool(nn.Module):
    """The text as one vector [B, E]: the mean token asks all tokens and itself. In ours each head
    has a learned query."""

    def __init__(self, text_width: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(text_width)
        self.mean_offset = nn.Parameter(torch.randn(1, text_width) / text_width**0.5)
        self.query = nn.Linear(text_width, text_width)
        self.key_value = nn.Linear(text_width, 2 * text_width)
        self.out = nn.Linear(text_width, width)
        self.out_norm = nn.LayerNorm(width)

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] and mask [B, L] -> [B, E]."""
        tokens = self.norm(text).masked_fill(~mask[..., None], 0)
        count = mask.sum(1, keepdim=True).clamp(min=1).to(tokens.dtype)
        mean = (tokens.sum(1) / count + self.mean_offset.to(tokens.dtype))[:, None]
        visible = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)[:, None, None]
        key, value = split_heads(self.key_value(torch.cat([mean, tokens], dim=1)), self.heads, 2)
        (query,) = split_heads(self.query(mean), self.heads, 1)
        return self.out_norm(self.out(attend(query, key, value, visible).flatten(1)))


class TokenGroupNorm(nn.Module):
    """A group norm of a text: the mean and variance of a group of channels over all tokens. Ours is
    a layer norm, for each token."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = math.gcd(groups, width)
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] and mask [B, L] -> the same shape, zero where masked."""
        seen = mask[..., None, None]
        x = text.float().masked_fill(~mask[..., None], 0).unflatten(-1, (self.groups, -1))
        count = (mask.sum(1) * x.shape[-1]).clamp(min=1)[:, None, None, None]
        mean = x.sum((1, 3), keepdim=True) / count
        x = (x - mean).masked_fill(~seen, 0)
        variance = x.square().sum((1, 3), keepdim=True) / count
        x = (x * torch.rsqrt(variance + 1e-5)).flatten(2)
        return (x * self.weight + self.bias).masked_fill(~mask[..., None], 0).to(text.dtype)


class TextAndSelfAttention(nn.Module):
    """Attention to the text, and with `self_attention` to the image's own positions too, in one
    softmax, as ours; the norm of the text differs, and there is no null token."""

    is_compiled_alone = True

    def __init__(
        self, channels: int, text_width: int, head_width: int, self_attention: bool, groups: int
    ) -> None:
        super().__init__()
        self.heads, self.parts = max(1, channels // head_width), 3 if self_attention else 1
        self.norm = group_norm(channels, groups)
        self.text_norm = TokenGroupNorm(text_width, groups)
        self.query_key_value = nn.Linear(channels, self.parts * channels)
        self.text_key_value = nn.Linear(text_width, 2 * channels)
        self.out = zero_init(nn.Linear(channels, channels))

    def read(self, text: Tensor, mask: Tensor) -> Reading:
        """Keys and values of the tokens; without any, a position sees one that is zero."""
        key, value = split_heads(self.text_key_value(self.text_norm(text, mask)), self.heads, 2)
        visible = mask | ~mask.any(1, keepdim=True)
        return Reading(key, value, visible[:, None, None])

    def forward(
        self, x: Tensor, text: Tensor, mask: Tensor, reading: Reading | None = None
    ) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        key, value, visible = self.read(text, mask) if reading is None else reading
        positions = self.norm(x).flatten(2).transpose(1, 2)
        query, *own = split_heads(self.query_key_value(positions), self.heads, self.parts)
        if own:
            key, value = torch.cat([key, own[0]], dim=2), torch.cat([value, own[1]], dim=2)
            seen = visible.new_ones(len(x), 1, 1, positions.shape[1])
            visible = torch.cat([visible, seen], dim=3)
        out = attend(query, key, value, visible).transpose(1, 2).flatten(2)
        return x + self.out(out).transpose(1, 2).unflatten(2, x.shape[2:])


class Residual(nn.Module):
    """Norm, activation, convolution, twice, as ours, with another activation. `scale` divides the
    sum of the two branches. With `activates_embedding` each block applies the activation to the
    embedding itself."""

    is_compiled_alone = True

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        groups: int,
        activation: Activation,
        activates_embedding: bool,
        scale: float,
        resample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.activation, self.activates_embedding = activation, activates_embedding
        self.scale = scale
        self.resample = resample if resample is not None else nn.Identity()
        self.first_norm = group_norm(channels_in, groups)
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding, 2 * channels)
        self.second_norm = group_norm(channels, groups)
        self.second = zero_init(nn.Conv2d(channels, channels, 3, padding=1))
        is_same = channels_in == channels
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x [B, C, H, W] and embedding [B, E] -> [B, C', H', W']."""
        h = self.first(self.resample(self.activation(self.first_norm(x))))
        embedding = self.activation(embedding) if self.activates_embedding else embedding
        scale, shift = self.scale_shift(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.second(self.activation(self.second_norm(h) * (1 + scale) + shift))
        return (self.shortcut(self.resample(x)) + h) / self.scale
