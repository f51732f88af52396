"""Images to be measured, whoever made them: a cascade, another system, or a camera."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class ImageSet(Protocol):
    """Images in a fixed order. `prompts[i]` is what image i was asked to show, None where nothing
    was asked; images of one prompt, by several seeds, stand for one draw of the prompt."""

    @property
    def prompts(self) -> Sequence[str] | None:
        """What each image was asked to show."""

    def __len__(self) -> int: ...

    def image(self, number: int) -> np.ndarray:
        """uint8 [H, W, 3], at the size at which it lies there."""

    def facts(self) -> Mapping[str, Any]:
        """What identifies them, as plain JSON: origin, count, a digest of the content."""
