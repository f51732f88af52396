"""A part of a picture drawn anew: what is around the hole is given to every stage, and in the last
stage's image it is as it was, to the last grey level (imagen_lit/cascade/edits.py)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.stage.edit import Edit
from imagen_lit.workbench.history import MASK, PICTURE


@dataclass(frozen=True)
class Inpainting:
    """`picture` uint8 [H, W, 3]; `hole` uint8 [H, W], 255 where it is drawn anew, and else 0."""

    picture: np.ndarray
    hole: np.ndarray
    jumps: Jumps

    def refuse_other_size(self, size: int) -> None:
        """Raise unless both are as large as the last stage draws."""
        for name, array in (("picture", self.picture), ("mask", self.hole)):
            height, width = array.shape[:2]
            if (height, width) != (size, size):
                raise InputError(
                    f"the {name} has {width} x {height} pixels, and the last stage draws {size} x "
                    f"{size}. Choose an image of the history, and paint on that."
                )

    def edits(self, cascade: Cascade) -> dict[str, Edit]:
        """For each stage."""
        picture = pixels.to_signed(torch.tensor(self.picture).movedim(-1, 0)[None])
        hole = torch.tensor(self.hole > 127)[None, None]
        return edits.edits_of(cascade, picture, hole, Edit(jumps=self.jumps))

    def facts(self) -> Mapping[str, Any]:
        """What the image's file says of it."""
        return {
            "picture": _digest(self.picture),
            "mask": _digest(self.hole),
            "jumps": {"length": self.jumps.length, "times": self.jumps.times},
        }

    def digest(self) -> str:
        """A short name for it."""
        return hashlib.sha256(repr(self.facts()).encode()).hexdigest()[:12]

    def save(self, folder: Path) -> None:
        """Put the picture and the mask there, from which it can be drawn again."""
        for name, array in ((PICTURE, self.picture), (MASK, self.hole)):
            if not (folder / name).exists():
                pixels.save_png(Image.fromarray(array), folder / name)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:12]
