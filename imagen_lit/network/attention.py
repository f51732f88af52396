"""Attention to text: pooled into the embedding, inside self-attention, or as cross-attention.

Shapes: B images, C channels, H W edges, N = H*W positions, L text tokens, D text width, E embedding
width. A text comes as (text [B, L, D], mask [B, L]), True where a token is real. Law: what is in a
masked position cannot change any output.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.basics import arguments
from imagen_lit.network.layers import group_norm, zero_init


class TextPool(nn.Module):
    """Attention pooling: text [B, L, D] -> [B, E], added to the time embedding (Imagen § 2.5).

    Each head has a learned query over the LayerNormed tokens. A learned null token is always
    visible, so that an empty text gives a result too.
    """

    def __init__(self, text_width: int, width: int, heads: int = 8, head_width: int = 32) -> None:
        super().__init__()
        self.heads, self.head_width = heads, head_width
        inner = heads * head_width
        self.norm = nn.LayerNorm(text_width)
        self.null_token = nn.Parameter(torch.zeros(1, 1, text_width))
        self.query = nn.Parameter(torch.randn(heads, 1, head_width))
        self.key_value = nn.Linear(text_width, 2 * inner)
        self.out = nn.Sequential(
            nn.LayerNorm(inner), nn.Linear(inner, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] and mask [B, L] -> [B, E]."""
        tokens, visible = _with_null_token(self.norm(text), self.null_token, mask)
        key, value = _heads(self.key_value(tokens), self.heads, 2)
        query = self.query.to(key.dtype).expand(len(text), -1, -1, -1)
        pooled = attend(query, key, value, visible)
        return self.out(pooled.flatten(1))


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

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        positions = _to_positions(self.norm(x))
        query, key, value = _heads(self.query_key_value(positions), self.heads, 3)
        text_key, text_value = _heads(self.text_key_value(self.text_norm(text)), self.heads, 2)
        visible = torch.cat([mask.new_ones(len(mask), positions.shape[1]), mask], dim=1)
        out = attend(
            query,
            torch.cat([key, text_key], dim=2),
            torch.cat([value, text_value], dim=2),
            visible[:, None, None],
        )
        return x + _to_image(self.out(out.transpose(1, 2).flatten(2)), x)


class TextAttention(nn.Module):
    """Cross-attention from positions to text only, for images too large for self-attention."""

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

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        tokens, visible = _with_null_token(self.text_norm(text), self.null_token, mask)
        (query,) = _heads(self.query(_to_positions(self.norm(x))), self.heads, 1)
        key, value = _heads(self.text_key_value(tokens), self.heads, 2)
        out = attend(query, key, value, visible)
        return x + _to_image(self.out(out.transpose(1, 2).flatten(2)), x)


def attend(query: Tensor, key: Tensor, value: Tensor, visible: Tensor) -> Tensor:
    """softmax(query key / sqrt(d)) value over the visible positions.

    In half precision on a CPU as plain products, because the backward pass of the fused kernel is
    several times slower there; in float32 it is the faster one, both forward and backward.
    """
    if query.device.type != "cpu" or query.dtype not in (torch.bfloat16, torch.float16):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    hidden = torch.zeros_like(visible, dtype=query.dtype).masked_fill(~visible, float("-inf"))
    affinity = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return (affinity + hidden).softmax(-1).to(value.dtype) @ value


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


def _with_null_token(tokens: Tensor, null_token: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The null token followed by the tokens, and which of them are visible."""
    tokens = torch.cat([null_token.to(tokens.dtype).expand(len(tokens), -1, -1), tokens], dim=1)
    return tokens, torch.cat([mask.new_ones(len(mask), 1), mask], dim=1)[:, None, None]


def _heads(x: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """[B, N, parts * heads * d] -> `parts` tensors [B, heads, N, d]."""
    return x.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


def _to_positions(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, N, C]."""
    return x.flatten(2).transpose(1, 2)


def _to_image(positions: Tensor, like: Tensor) -> Tensor:
    """[B, N, C] -> [B, C, H, W]."""
    return positions.transpose(1, 2).unflatten(2, like.shape[2:])
