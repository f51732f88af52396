"""Attention of an image's positions: to each other, to the text too, or to the text only.

Shapes: B images, C channels, H W edges, N = H*W positions, L text tokens, D text width. A text
comes as (text [B, L, D], mask [B, L]), True where a token is real. Law: what is in a masked
position cannot change any output.

A layer `read`s a text into keys and values. Its `forward` does so itself, or takes a reading that
was made before, and then the text it is given with does not matter.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.basics import arguments
from imagen_lit.network.layers import group_norm, zero_init


class Reading(NamedTuple):
    """A text as one layer reads it: key and value [B, heads, L, d], visible [B, 1, 1, L]."""

    key: Tensor
    value: Tensor
    visible: Tensor


class SelfAttention(nn.Module):
    """Self-attention that does not see the text, which it takes as the others do."""

    is_compiled_alone = True

    def __init__(
        self,
        channels: int,
        head_width: int,
        heads: int | None = None,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        self.heads, inner = _hidden(channels, head_width, heads)
        self.norm = group_norm(channels, group_width)
        self.query_key_value = nn.Linear(channels, 3 * inner)
        self.out = zero_init(nn.Linear(inner, channels))

    def read(self, text: Tensor, mask: Tensor) -> None:
        """Nothing."""

    def forward(
        self, x: Tensor, text: Tensor, mask: Tensor, reading: Reading | None = None
    ) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        positions = to_positions(self.norm(x))
        out = attend(*split_heads(self.query_key_value(positions), self.heads, 3))
        return x + _to_image(self.out(out.transpose(1, 2).flatten(2)), x)


class SelfTextAttention(nn.Module):
    """Self-attention whose keys and values also hold the text: one joint softmax (Imagen App.
    D.3.1)."""

    is_compiled_alone = True

    def __init__(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        self.heads, inner = _hidden(channels, head_width, heads)
        self.norm = group_norm(channels, group_width)
        self.text_norm = nn.LayerNorm(text_width)
        self.query_key_value = nn.Linear(channels, 3 * inner)
        self.text_key_value = nn.Linear(text_width, 2 * inner)
        self.out = zero_init(nn.Linear(inner, channels))

    def read(self, text: Tensor, mask: Tensor) -> Reading:
        """Keys and values of the tokens."""
        key, value = split_heads(self.text_key_value(self.text_norm(text)), self.heads, 2)
        return Reading(key, value, mask[:, None, None])

    def forward(
        self, x: Tensor, text: Tensor, mask: Tensor, reading: Reading | None = None
    ) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        reading = self.read(text, mask) if reading is None else reading
        positions = to_positions(self.norm(x))
        query, key, value = split_heads(self.query_key_value(positions), self.heads, 3)
        own = reading.visible.new_ones(len(x), 1, 1, positions.shape[1])
        out = attend(
            query,
            torch.cat([key, reading.key], dim=2),
            torch.cat([value, reading.value], dim=2),
            torch.cat([own, reading.visible], dim=3),
        )
        return x + _to_image(self.out(out.transpose(1, 2).flatten(2)), x)


class TextAttention(nn.Module):
    """Cross-attention from positions to text only: beside self-attention, or instead of it where
    the image is too large for that."""

    is_compiled_alone = True

    def __init__(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        self.heads, inner = _hidden(channels, head_width, heads)
        self.norm = group_norm(channels, group_width)
        self.text_norm = nn.LayerNorm(text_width)
        self.null_token = nn.Parameter(torch.zeros(1, 1, text_width))
        self.query = nn.Linear(channels, inner)
        self.text_key_value = nn.Linear(text_width, 2 * inner)
        self.out = zero_init(nn.Linear(inner, channels))

    def read(self, text: Tensor, mask: Tensor) -> Reading:
        """Keys and values of the null token and the tokens."""
        tokens, visible = with_null_token(self.text_norm(text), self.null_token, mask)
        key, value = split_heads(self.text_key_value(tokens), self.heads, 2)
        return Reading(key, value, visible)

    def forward(
        self, x: Tensor, text: Tensor, mask: Tensor, reading: Reading | None = None
    ) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        reading = self.read(text, mask) if reading is None else reading
        (query,) = split_heads(self.query(to_positions(self.norm(x))), self.heads, 1)
        out = attend(query, *reading)
        return x + _to_image(self.out(out.transpose(1, 2).flatten(2)), x)


class SelfThenTextAttention(nn.Module):
    """A layer of self-attention, then one of cross-attention to the text."""

    def __init__(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        group_width: int = 16,
    ) -> None:
        super().__init__()
        self.to_itself = SelfAttention(channels, head_width, heads, group_width)
        self.to_text = TextAttention(channels, text_width, head_width, heads, group_width)

    def read(self, text: Tensor, mask: Tensor) -> Reading:
        """The second layer's."""
        return self.to_text.read(text, mask)

    def forward(
        self, x: Tensor, text: Tensor, mask: Tensor, reading: Reading | None = None
    ) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        return self.to_text(self.to_itself(x, text, mask), text, mask, reading)


def attend(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None = None) -> Tensor:
    """softmax(query key / sqrt(d)) value over the visible positions, or over all.

    In half precision on a CPU as plain products, because the backward pass of the fused kernel is
    several times slower there; in float32 it is the faster one, both forward and backward.
    """
    if query.device.type != "cpu" or query.dtype not in (torch.bfloat16, torch.float16):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    affinity = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if visible is not None:
        hidden = torch.zeros_like(visible, dtype=query.dtype)
        affinity = affinity + hidden.masked_fill(~visible, float("-inf"))
    return affinity.softmax(-1).to(value.dtype) @ value


def mask_text(text: Tensor, mask: Tensor) -> Tensor:
    """The text with zeros in its masked positions: a NaN there would spread even with a weight of
    zero."""
    return text.masked_fill(~mask[..., None], 0)


def text_projection(text_width: int, channels: int | None) -> nn.Module:
    """A wide encoder's text projected to fewer channels, after a norm, because a few channels of T5
    are far larger than the rest. None leaves it as it is."""
    if channels is None:
        return nn.Identity()
    return nn.Sequential(nn.LayerNorm(text_width), nn.Linear(text_width, channels))


def _hidden(channels: int, head_width: int, heads: int | None) -> tuple[int, int]:
    """The number of heads and their total width: as many heads as fill the channels, by default."""
    arguments.whole_number("network.head_width", head_width, 1)
    heads = heads if heads is not None else max(1, channels // head_width)
    return heads, heads * (head_width if channels >= head_width else channels)


def with_null_token(tokens: Tensor, null_token: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The null token followed by the tokens, and which of them are visible."""
    tokens = torch.cat([null_token.to(tokens.dtype).expand(len(tokens), -1, -1), tokens], dim=1)
    return tokens, torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)[:, None, None]


def split_heads(x: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """[B, N, parts * heads * d] -> `parts` tensors [B, heads, N, d]."""
    return x.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def to_positions(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, N, C]."""
    return x.flatten(2).transpose(1, 2)


def _to_image(positions: Tensor, like: Tensor) -> Tensor:
    """[B, N, C] -> [B, C, H, W]."""
    return positions.transpose(1, 2).unflatten(2, like.shape[2:])
