"""One drawing, as it comes about: what its page sees of it, in the order in which it happened.

An event is what JSON holds. An `estimate` of each evaluation of a network: the clean image that it
makes of the noise, how much of it a threshold has to move, how far guidance leads, and where the
attention looks; an `image` of each stage; and at the end `done`, `stopped` or `failed`.
"""

import base64
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.cascade.drawing_progress import Step
from imagen_lit.text.word_tokens import WordTokens

LARGEST = 256  # the edge of a picture in an event; larger ones are reduced to it
ENDS = ("done", "stopped", "failed")
Event = Mapping[str, Any]


class Stopped(Exception):
    """Somebody does not want to see the rest."""


class Drawing:
    """The events of one image, and the wish to stop it, which is asked at each of them."""

    def __init__(self, number: int, words: Sequence[WordTokens] = ()) -> None:
        self.number, self.words = number, words
        self.events: list[Event] = []
        self.is_unwanted = False
        self.images: dict[str, np.ndarray] = {}
        self.evaluations: dict[str, int] = {}  # of each stage, once its drawing has begun
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._norm: float | None = None
        self._weights: list[Tensor] = []

    @property
    def is_over(self) -> bool:
        """No event will follow."""
        return bool(self.events) and self.events[-1]["kind"] in ENDS

    def add(self, kind: str, **facts: Any) -> None:
        """Something has happened."""
        self.events.append({"kind": kind, **facts})

    def step(self, step: Step) -> None:
        """A step has been made."""
        self._refuse_unwanted()

    def norm(self, norms: Tensor) -> None:
        """Guidance has asked for two estimates."""
        self._norm = norms[0].item()

    def weights(self, weights: Tensor) -> None:
        """A layer has looked at the text: [B, L]. The first row is the one with the text."""
        self._weights.append(weights[0])

    def estimate(self, stage: str, x: Tensor) -> None:
        """A network has made a clean estimate."""
        self._refuse_unwanted()
        self._counts[stage] += 1
        self.add(
            "estimate",
            stage=stage,
            number=self._counts[stage],
            of=self.evaluations.get(stage),
            hits=round((x[0].detach().abs() > 1).float().mean().item(), 5),
            norm=None if self._norm is None else round(self._norm, 6),
            attention=self._by_word(),
            picture=_address(pixels.to_array(x[0])),
        )
        self._norm, self._weights = None, []

    def image(self, stage: str, images: Tensor) -> None:
        """A stage has drawn its image."""
        self.images[stage] = pixels.to_array(images[0])
        self.add("image", stage=stage, picture=_address(self.images[stage]))

    def _by_word(self) -> list[float] | None:
        """The attention that each word gets, the mean over layers; None if nobody looks."""
        if not self._weights:
            return None
        mean = torch.stack([each.float().cpu() for each in self._weights]).mean(0)
        return [round(mean[each.first : each.last].sum().item(), 6) for each in self.words]

    def _refuse_unwanted(self) -> None:
        if self.is_unwanted:
            raise Stopped


def _address(image: np.ndarray) -> str:
    """A picture as an address that holds it."""
    opened = Image.fromarray(image)
    opened.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    out = io.BytesIO()
    opened.save(out, format="PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
