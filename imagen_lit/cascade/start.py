"""Small images from which a cascade starts, where its first stage enlarges: true ones, so that a
super-resolution is judged by itself and not by the errors of the stage before it.

They are made as training makes them: by the stage's own kernel, from the image at the size that
the stage draws (imagen_lit/stage/condition.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.image_set.in_memory import InMemory
from imagen_lit.stage.condition import small_image

Request = tuple[str, int]  # prompt and seed
START, START_OF = "start", "start_of"  # facts: the small image's digest, and whose image that is


@dataclass(frozen=True)
class Start:
    """For each request its small image, [3, edge, edge] in [-1, 1]; `origin` says of each of which
    set of images it is, where it is of one, and its number there."""

    images: Mapping[Request, Tensor]
    origin: Mapping[Request, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        requests: Sequence[Request],
        true_images: np.ndarray,
        factor: int,
        kernel: str = "box",
        image_set: Mapping[str, Any] | None = None,
    ) -> "Start":
        """`true_images`, uint8 [N, H, W, 3], at the size that the first stage draws, all those of
        the set that the node `image_set` describes."""
        large = pixels.to_signed(torch.from_numpy(true_images).movedim(-1, -3))
        small = small_image(large, factor, kernel)
        origin = {
            request: {"image_set": image_set, "number": number}
            for number, request in enumerate(requests)
        }
        named = {} if image_set is None else origin
        return cls(dict(zip(requests, small, strict=True)), named)

    def batch(self, requests: Sequence[Request]) -> Tensor:
        """Those of several requests."""
        lacking = [prompt for prompt, seed in requests if (prompt, seed) not in self.images]
        if lacking:
            raise InputError(
                f"there is no small image to start from for {lacking[0]!r}. "
                "Choose prompts that are captions of the images, or start with a base."
            )
        return torch.stack([self.images[request] for request in requests])

    def image_set(self, requests: Sequence[Request]) -> InMemory:
        """Those of the requests, in whole grey levels, to be measured."""
        images = pixels.to_array(self.batch(requests))
        return InMemory(images, [prompt for prompt, _ in requests])

    @property
    def cascade(self) -> dict[str, Any]:
        """No stage has drawn them."""
        return {}

    @property
    def size(self) -> int:
        """Their edge."""
        return int(next(iter(self.images.values())).shape[-1])

    def facts(self, request: Request) -> dict[str, Any]:
        """What the file of an image says that was drawn from one of them."""
        origin = {START_OF: self.origin[request]} if request in self.origin else {}
        return {START: self.digest(request)} | origin

    def digest(self, request: Request) -> str:
        """What an image drawn from it records."""
        return hashlib.sha256(self.images[request].numpy().tobytes()).hexdigest()[:12]
