"""An encoder whose captions are all of the same length, in lower case: DeepFloyd IF's.

What fills a caption up to the length counts as its tokens, as IF's networks were trained: the
encoder does not read it, and gives a vector for it none the less.
"""

import torch
from torch import Tensor

from imagen_lit.text.encoder import HuggingFace


class FullLength(HuggingFace):
    """`max_length` tokens of every caption, the empty one too."""

    def lengths(self, captions: list[str]) -> list[int]:
        """All the same."""
        return [self.max_length] * len(captions)

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """Those of the captions in lower case, without what fills them up."""
        return super().token_ids(_lower(captions))

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and a mask [B, L] that hides none."""
        tokens, mask = self.states(_lower(captions), "max_length")
        return tokens, torch.ones_like(mask)

    def settings(self) -> dict[str, str]:
        """Its own, by which it is told from the same encoder without it."""
        return super().settings() | {"padding": "max_length", "case": "lower"}


def _lower(captions: list[str]) -> list[str]:
    """What diffusers' pipelines of IF do where they clean nothing."""
    return [caption.lower().strip() for caption in captions]
