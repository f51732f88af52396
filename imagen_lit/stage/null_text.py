"""The null text: what a network reads of an image that has no text.

That is an image whose mask is empty: its caption was dropped in training, its prompt is empty, or
it is the reference of guidance. The denoiser puts the null text there, so that training,
validation, previews and drawing all read the same. What a null text has learnt, or was given, is
part of the denoiser's weights, and so of checkpoints and of the EMA.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError

PLACES = 4  # of an encoded empty caption: T5 makes one token of it, BERT and CLIP two


class MaskedZeros(nn.Module):
    """No token at all: zeros, and masked out. Attention sees the image and its own null token."""

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """text [B, L, D] and mask [B, L] with the null text where the mask is empty."""
        return text, mask


class SeenZeros(nn.Module):
    """So many tokens of zeros, which attention sees like any others."""

    def __init__(self, tokens: int = 1) -> None:
        super().__init__()
        self.tokens = arguments.whole_number("stage.condition.null_text.tokens", tokens, 1)

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """text [B, L, D] and mask [B, L] with the null text where the mask is empty."""
        zeros = text.new_zeros(self.tokens, text.shape[2])
        return _fill(text, mask, zeros, mask.new_ones(self.tokens))


class Learned(nn.Module):
    """So many tokens that are learned with the network."""

    def __init__(self, width: int, tokens: int = 1) -> None:
        super().__init__()
        self.width = arguments.whole_number("stage.condition.null_text.width", width, 1)
        arguments.whole_number("stage.condition.null_text.tokens", tokens, 1)
        # A vector, so that every optimiser takes it for one, and every device gets a shard of it.
        self.vectors = nn.Parameter(torch.randn(tokens * width))

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """text [B, L, D] and mask [B, L] with the null text where the mask is empty."""
        vectors = self.vectors.view(-1, self.width)
        return _fill(text, mask, vectors, mask.new_ones(len(vectors)))


class Encoded(nn.Module):
    """What the text encoder makes of the empty caption; `give` it before training, and before a
    drawing whose weights do not have it (`is_empty`). `places`: its most tokens."""

    vectors: Tensor
    visible: Tensor

    def __init__(self, width: int, places: int = PLACES) -> None:
        super().__init__()
        arguments.whole_number("stage.condition.null_text.width", width, 1)
        arguments.whole_number("stage.condition.null_text.places", places, 1)
        self.register_buffer("vectors", torch.zeros(places, width))
        self.register_buffer("visible", torch.zeros(places, dtype=torch.bool))

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been given to it."""
        return not bool(self.visible.any())

    def give(self, vectors: Tensor) -> None:
        """The vectors [T, D] of the empty caption."""
        tokens, width = vectors.shape
        places = len(self.visible)
        if tokens > places or width != self.vectors.shape[1]:
            raise InputError(
                f"the empty caption has {tokens} tokens of width {width}, and there is room for "
                f"{places} of {self.vectors.shape[1]}. Set another stage/null_text."
            )
        self.vectors[:tokens] = vectors.to(self.vectors)
        self.visible[:tokens] = True

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """text [B, L, D] and mask [B, L] with the null text where the mask is empty."""
        return _fill(text, mask, self.vectors, self.visible)


NullText = MaskedZeros | SeenZeros | Learned | Encoded


def _fill(text: Tensor, mask: Tensor, vectors: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """The vectors [T, D], of which those `visible` [T] are seen, in every row without a token."""
    more = len(vectors) - text.shape[1]
    if more > 0:
        text, mask = pad(text, (0, 0, 0, more)), pad(mask, (0, more))
    rest = text.shape[1] - len(vectors)
    vectors, visible = pad(vectors, (0, 0, 0, rest)), pad(visible, (0, rest))
    has_text = mask.any(1, keepdim=True)
    return (
        torch.where(has_text[..., None], text, vectors.to(text.dtype)),
        torch.where(has_text, mask, visible),
    )
