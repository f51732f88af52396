"""What previews and evaluations draw. A source names prompts for the data that a stage is trained
on: `source.of(data)` has `prompts` and `seeds`. A prompt that stands there more than once is drawn
from another seed each time: several draws of one prompt. Some sources know more about their prompts
(a category, an id), or about the images drawn from them: an exact judge, or the true images of the
same captions.
"""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from lightning import LightningDataModule


class Prompts(Protocol):
    """What is drawn: image i is of prompt i, from seed i."""

    prompts: list[str]
    seeds: list[int]


@runtime_checkable
class CategorisedPrompts(Prompts, Protocol):
    """Prompts of several kinds, whose scores are told apart."""

    categories: list[str]  # of each prompt


@runtime_checkable
class IdentifiedPrompts(Prompts, Protocol):
    """Prompts that have a name in the collection that they come from."""

    ids: list[str]  # of each prompt; for COCO, of its image


@runtime_checkable
class DescribedPrompts(Prompts, Protocol):
    """Prompts of which their file says more, for a judge outside."""

    metadata: list[Mapping[str, Any]]  # of each prompt, by column


@runtime_checkable
class JudgedPrompts(Prompts, Protocol):
    """Prompts, and an exact judge for the images drawn from them."""

    def judge(self, number: int, image: np.ndarray) -> dict[str, Any]:
        """The result for an image of prompt `number`, uint8 [H, W, 3]."""

    def score(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Results gathered by category, with intervals."""


@runtime_checkable
class PromptsWithImages(Prompts, Protocol):
    """Prompts that are the captions of images, which a person can compare with those drawn."""

    def true_images(self, size: int) -> np.ndarray:
        """The true images, uint8 [N, size, size, 3]."""


class Source(Protocol):
    """Where prompts come from."""

    def of(self, data: LightningDataModule) -> Prompts:
        """Its prompts for these data; refused where they do not fit."""
