"""The text tower: a small transformer that reads a caption in both directions.

Its per-token states are of use by themselves; the feature of a whole text is the state of its last
token, the end, as in CLIP (Radford et al. 2021, § 2.4).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 32


class TextTower(nn.Module):
    """Token ids [B, L] and a mask [B, L] -> states [B, L, width]."""

    def __init__(self, vocabulary: int, max_length: int, width: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(max_length, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for embedding in (self.words, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Normalised states; those of padding are zero."""
        return self.states(ids, mask)[-1].masked_fill(~mask[..., None], 0)

    def states(self, ids: Tensor, mask: Tensor) -> list[Tensor]:
        """The embedding, then what each layer makes of it; the last is normalised."""
        states = [self.words(ids) + self.places.weight[: ids.shape[1]]]
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return [*states[:-1], self.norm(states[-1])]


class Layer(nn.Module):
    """Self-attention over real tokens, then two linear layers, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = math.gcd(width, max(1, width // HEAD_WIDTH))
        self.attention_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """The same shape."""
        batch, length, width = x.shape
        qkv = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.mlp_norm(x))


def last_states(states: Tensor, mask: Tensor) -> Tensor:
    """The states [B, width] of the last real tokens."""
    return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
