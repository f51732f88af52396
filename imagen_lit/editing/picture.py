"""The picture that a person gives, and the mask beside it: PNG, JPEG or WebP, upright, as a viewer
shows them. White in a mask is what is drawn anew; black is given.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imagen_lit.basics import arguments, pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import canvas
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.image_set import image_file

FITS = ("exact", "crop", "resize")
HALF = 128  # the grey level from which a mask is white


@dataclass(frozen=True)
class Picture:
    """uint8 [H, W, 3], and a hole [H, W] that is true where it is drawn anew, or none; `prompt`:
    the one that its own file says it was drawn from."""

    image: np.ndarray
    hole: np.ndarray | None = None
    prompt: str | None = None

    @classmethod
    def of(cls, file: Any, mask: Any) -> "Picture":
        """Of files; refused if they are no pictures, or not of one size."""
        path = _existing("image", file)
        found = image_file.header(path)
        image, prompt = image_file.pixels(path), found.prompt
        hole = None if mask is None else _hole(_existing("mask", mask), image)
        return cls(image, hole, prompt if isinstance(prompt, str) else None)

    @property
    def facts(self) -> dict[str, str]:
        """Digests of what is drawn from."""
        arrays = {"image": self.image, "mask": self.hole}
        return {
            name: hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()[:12]
            for name, array in arrays.items()
            if array is not None
        }

    @property
    def tensor(self) -> Tensor:
        """[1, 3, H, W] in [-1, 1]."""
        return pixels.to_signed(torch.from_numpy(self.image.copy()).movedim(-1, -3))[None]

    @property
    def hole_tensor(self) -> Tensor | None:
        """[1, 1, H, W]."""
        return None if self.hole is None else torch.from_numpy(self.hole.copy())[None, None]

    def fitted(self, cascade: Cascade, fit: str) -> "Picture":
        """As it is (`exact`), or the middle of it with sides that the cascade can draw (`crop`),
        or that after its shorter side has got the length that the cascade has learned (`resize`).
        """
        if arguments.choice("fit", fit, FITS) == "exact":
            return self
        scaled = self._scaled(canvas.edge(cascade)) if fit == "resize" else self
        unit = canvas.step(cascade)
        height, width = (side // unit * unit for side in scaled.image.shape[:2])
        top, left = (scaled.image.shape[0] - height) // 2, (scaled.image.shape[1] - width) // 2
        part = slice(top, top + height), slice(left, left + width)
        hole = None if scaled.hole is None else scaled.hole[part]
        if hole is not None and not hole.any():
            raise InputError(
                f"fit={fit} takes {width} x {height} pixels from the middle, where the mask has "
                "nothing white. Make the picture and its mask smaller around what is to be drawn."
            )
        return Picture(scaled.image[part], hole, self.prompt)

    def _scaled(self, edge: int) -> "Picture":
        height, width = self.image.shape[:2]
        size = [max(edge, round(side * edge / min(height, width))) for side in (width, height)]
        image = Image.fromarray(self.image).resize(size, Image.Resampling.LANCZOS)
        hole = self.hole
        if hole is not None:
            hole = np.asarray(Image.fromarray(hole).resize(size, Image.Resampling.NEAREST))
        return Picture(np.asarray(image), hole, self.prompt)


def _existing(name: str, file: Any) -> Path:
    if file is None:
        raise InputError(f"there is no {name} to draw from. Set {name}=... to a picture's file.")
    path = arguments.path(name, file)
    if not path.is_file():
        raise InputError(f"{name}={path}: there is no such file. Set {name}=... to a picture.")
    return path


def _hole(file: Path, image: np.ndarray) -> np.ndarray:
    mask = image_file.pixels(file)
    if mask.shape != image.shape:
        sizes = [f"{each.shape[1]} x {each.shape[0]}" for each in (mask, image)]
        raise InputError(
            f"mask={file} has {sizes[0]} pixels, and the picture {sizes[1]}. Make them equally "
            "large."
        )
    if _is_transparent(file):
        raise InputError(
            f"mask={file} is transparent in parts, which may mean either. Make it opaque: white "
            "where it is to be drawn anew, black where it is given."
        )
    hole: np.ndarray = mask.mean(-1) >= HALF
    if not hole.any():
        raise InputError(
            f"mask={file} has nothing white, so nothing would be drawn anew. Make white what is "
            "to be drawn."
        )
    return hole


def _is_transparent(file: Path) -> bool:
    with Image.open(file) as mask:
        alpha = np.asarray(mask.convert("RGBA"))[..., 3]
    return bool((alpha < 255).any())
