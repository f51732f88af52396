"""How text enters a network: pooled into its embedding, and as a sequence that its attention sees.

Imagen does both (§ 2.5); Fig. A.13a compares them.
"""

from dataclasses import dataclass

from torch import nn

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.network.attention import (
    SelfAttention,
    SelfTextAttention,
    SelfThenTextAttention,
    TextAttention,
    text_projection,
)
from imagen_lit.network.text_pool import AttentionPool, MeanPool, NoPool

POOLS = ("attention", "mean", "none")
ATTENTIONS = ("concatenated", "cross", "none")


@dataclass(frozen=True)
class Conditioning:
    """`pool`: what is added to the time embedding, by attention of `pool_heads` heads,
    `pool_head_width` wide, as the mean of the tokens, or nothing. `attention`: the text's keys and
    values are concatenated to those of self-attention, or have a cross-attention layer of their
    own, or there are none."""

    pool: str = "attention"
    attention: str = "concatenated"
    pool_heads: int = 8
    pool_head_width: int = 32

    def __post_init__(self) -> None:
        arguments.choice("network.conditioning.pool", self.pool, POOLS)
        arguments.choice("network.conditioning.attention", self.attention, ATTENTIONS)
        for name in ("pool_heads", "pool_head_width"):
            arguments.whole_number(f"network.conditioning.{name}", getattr(self, name), 1)

    def make_pool(self, text_width: int, width: int) -> nn.Module:
        """(text, mask) -> what is added to an embedding so wide."""
        if self.pool == "attention":
            return AttentionPool(text_width, width, self.pool_heads, self.pool_head_width)
        return MeanPool(text_width, width) if self.pool == "mean" else NoPool()

    def make_projection(self, text_width: int, channels: int | None) -> nn.Module:
        """What the sequence goes through before every attention; nothing, if none sees it."""
        return text_projection(text_width, None if self.attention == "none" else channels)

    def make_attention(
        self,
        channels: int,
        text_width: int,
        head_width: int,
        heads: int | None = None,
        group_width: int = 16,
        self_attention: bool = True,
    ) -> nn.Module | None:
        """(x, text, mask) -> x, or None if positions attend neither to each other nor to the
        text."""
        if self.attention == "none":
            own = SelfAttention(channels, head_width, heads, group_width)
            return own if self_attention else None
        if self.attention == "concatenated" and not self_attention:
            raise InputError(
                "network.conditioning.attention=concatenated puts the text beside the keys of "
                "self-attention, and network.self_attention=false leaves none. "
                "Set network.conditioning.attention=cross."
            )
        kinds = {
            ("concatenated", True): SelfTextAttention,
            ("cross", True): SelfThenTextAttention,
            ("cross", False): TextAttention,
        }
        kind = kinds[self.attention, self_attention]
        return kind(channels, text_width, head_width, heads, group_width)
