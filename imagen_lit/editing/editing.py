"""What a kind of editing makes of a person's picture: what a cascade draws from.

A kind has one method, `plan(cascade, picture) -> Plan`; its options lie in `conf/editing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.editing.picture import Picture
from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class Plan:
    """`edits` of each stage; `start`: the small picture that the first stage enlarges, if it does;
    `shown`: uint8 [H, W, 3], what is given, on the canvas of the last stage."""

    edits: Mapping[str, Edit]
    shown: np.ndarray
    start: Tensor | None = None


class Editing(Protocol):
    """What the command needs from a kind of editing. For the reader; nothing inherits from it."""

    def plan(self, cascade: Cascade, picture: Picture) -> Plan:
        """What the cascade draws from; refused where the picture does not suit it."""


def refuse_mask(picture: Picture) -> None:
    """Raise if there is a mask that this kind would not look at."""
    if picture.hole is not None:
        raise InputError(
            "a mask says what is drawn anew, and this editing draws everything anew or has its own "
            "hole. Leave mask=... out, or set editing=inpaint."
        )


def shown(picture: Picture) -> np.ndarray:
    """The picture with its hole in grey."""
    if picture.hole is None:
        return picture.image
    grey = np.full_like(picture.image, 160)
    return np.where(picture.hole[..., None], grey, picture.image)
