"""The text as one vector, added to the time embedding.

Shapes: B images, L text tokens, D text width, E embedding width. A *pool* maps a text [B, L, D] and
its mask [B, L], True where a token is real, to [B, E]. Laws: what is in a masked position cannot
change it, and it is finite for a text without tokens.
"""

import torch
from torch import Tensor, nn

from imagen_lit.network.attention import attend, split_heads, with_null_token


class AttentionPool(nn.Module):
    """Attention pooling (Imagen § 2.5).

    Each head has a learned query over the LayerNormed tokens. A learned null token is always
    visible, so that an empty text gives a result too.
    """

    def __init__(self, text_width: int, width: int, heads: int = 8, head_width: int = 32) -> None:
        super().__init__()
        self.heads, inner = heads, heads * head_width
        self.norm = nn.LayerNorm(text_width)
        self.null_token = nn.Parameter(torch.zeros(1, 1, text_width))
        self.query = nn.Parameter(torch.randn(heads, 1, head_width))
        self.key_value = nn.Linear(text_width, 2 * inner)
        self.out = _to_embedding(inner, width)

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] and mask [B, L] -> [B, E]."""
        tokens, visible = with_null_token(self.norm(text), self.null_token, mask)
        key, value = split_heads(self.key_value(tokens), self.heads, 2)
        query = self.query.to(key.dtype).expand(len(text), -1, -1, -1)
        pooled = attend(query, key, value, visible)
        return self.out(pooled.flatten(1))


class MeanPool(nn.Module):
    """The mean of the LayerNormed tokens that are real (Imagen Fig. A.13a); an empty text has a
    learned token instead."""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(text_width)
        self.null_token = nn.Parameter(torch.zeros(1, text_width))
        self.out = _to_embedding(text_width, width)

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] and mask [B, L] -> [B, E]."""
        tokens = self.norm(text).masked_fill(~mask[..., None], 0)
        count = mask.sum(1, keepdim=True)
        mean = tokens.sum(1) / count.clamp(min=1).to(tokens.dtype)
        return self.out(torch.where(count > 0, mean, self.null_token.to(mean.dtype)))


class NoPool(nn.Module):
    """Zeros: the embedding does not depend on the text."""

    def forward(self, text: Tensor, mask: Tensor) -> Tensor:
        """text [B, L, D] -> [B, 1]."""
        return text.new_zeros(len(text), 1)


def _to_embedding(inner: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(inner), nn.Linear(inner, width), nn.SiLU(), nn.Linear(width, width)
    )
