"""A text encoder that also reads prompts which lie between two others: their token states mixed in
straight lines, position by position, the shorter one padded with zeros.

Such a prompt has a name, `a red circle → a blue square 0.25`, by which all else that draws knows
it; a wording around the name goes around both prompts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from imagen_lit.text.text_encoder import TextEncoder


class Place(NamedTuple):
    """The share of the way from the first prompt to the second."""

    first: str
    second: str
    share: float

    @property
    def name(self) -> str:
        """What stands for it; at the ends the prompt itself."""
        ends = {0.0: self.first, 1.0: self.second}
        return ends.get(self.share, f"{self.first} → {self.second} {self.share:g}")

    def described(self) -> dict[str, Any]:
        """What an image's file says of it."""
        return {"prompts": [self.first, self.second], "share": self.share}


class BetweenPrompts:
    """`encoder` for all prompts but these places."""

    def __init__(self, encoder: TextEncoder, places: Sequence[Place]) -> None:
        self.encoder = encoder
        inner = [each for each in places if 0 < each.share < 1]
        inner.sort(key=lambda each: -len(each.name))  # "… 0.583333" before "… 0.5", which is in it
        self.places: Mapping[str, Place] = {each.name: each for each in inner}

    def __getattr__(self, name: str) -> Any:
        """What the encoder has besides."""
        return getattr(self.encoder, name)

    def lengths(self, captions: Sequence[str]) -> list[int]:
        """As many tokens as the longer of both prompts has."""
        return [max(self.encoder.lengths(self._ends(each)[0])) for each in captions]

    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states [B, L, D] and mask [B, L]."""
        rows = [self._row(each) for each in captions]
        longest = max(text.shape[1] for text, _ in rows)
        texts = [pad(text, (0, 0, 0, longest - text.shape[1])) for text, _ in rows]
        masks = [pad(mask, (0, longest - mask.shape[1])) for _, mask in rows]
        return torch.cat(texts), torch.cat(masks)

    def _row(self, caption: str) -> tuple[Tensor, Tensor]:
        ends, share = self._ends(caption)
        text, mask = self.encoder.encode(ends)
        if len(ends) == 1:
            return text, mask
        text = text * mask[..., None]  # nothing beyond a prompt's own tokens
        return torch.lerp(text[:1], text[1:], share), mask.any(0, keepdim=True)

    def _ends(self, caption: str) -> tuple[list[str], float]:
        """The prompts to mix: one, unless the caption has the name of a place in it."""
        for name, place in self.places.items():
            if name in caption:
                ends = [caption.replace(name, each) for each in (place.first, place.second)]
                return ends, place.share
        return [caption], 0.0
