"""How an image becomes a square of pixels for a network: a kernel, with or without antialiasing.

The same network on the same images gives another distance for each of these, so their facts are
part of every protocol. Each function takes uint8 [H, W, 3] and returns float32 [3, size, size] in
0 … 255.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError


@dataclass(frozen=True)
class Resize:
    """A way to resize, with all that decides its pixels."""

    name: str
    apply: Callable[[np.ndarray, int], Tensor]
    kernel: str
    antialias: bool
    result: str  # whether pixels are rounded or cut afterwards

    def facts(self, size: int) -> Mapping[str, Any]:
        """For the protocol."""
        return {
            "name": self.name,
            "size": size,
            "kernel": self.kernel,
            "antialias": self.antialias,
            "result": self.result,
        }


def plain(image: np.ndarray) -> Tensor:
    """float32 [3, H, W] of uint8 [H, W, 3]."""
    return torch.tensor(image).permute(2, 0, 1).float()


def tf1_bilinear(image: np.ndarray, size: int) -> Tensor:
    """TensorFlow 1's `resize_bilinear`, as the first FID had it: output pixel i lies at i · in/out,
    so not at pixels' centres, and is read between two neighbours whatever the reduction."""
    pixels = plain(image)
    for axis in (2, 1):
        length = pixels.shape[axis]
        position = torch.arange(size, dtype=torch.float32) * (length / size)
        low = position.long().clamp(max=length - 1)
        share = (position - low).reshape((-1, 1) if axis == 1 else (-1,))
        near = pixels.index_select(axis, low)
        far = pixels.index_select(axis, (low + 1).clamp(max=length - 1))
        pixels = near + (far - near) * share
    return pixels


def pil_bicubic(image: np.ndarray, size: int) -> Tensor:
    """Pillow's bicubic kernel on each channel as floats, cut to 0 … 255 and not rounded, as
    clean-fid does (Parmar et al. 2022)."""
    channels = (Image.fromarray(image[..., n].astype(np.float32)) for n in range(3))
    shape, kernel = (size, size), Image.Resampling.BICUBIC
    resized = [np.asarray(channel.resize(shape, kernel)) for channel in channels]
    return torch.tensor(np.stack(resized)).clamp(0, 255)


def pil_bicubic_uint8(image: np.ndarray, size: int) -> Tensor:
    """Pillow's bicubic kernel on a colour image, which rounds to grey levels."""
    return plain(np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)))


def torch_bicubic(image: np.ndarray, size: int) -> Tensor:
    """Torch's bicubic kernel with antialiasing, neither cut nor rounded."""
    shape = (size, size)
    return interpolate(plain(image)[None], shape, mode="bicubic", antialias=True)[0]


WAYS = (
    Resize("tf1_bilinear", tf1_bilinear, "bilinear, pixel i at i * in / out", False, "as it is"),
    Resize("pil_bicubic_antialias", pil_bicubic, "bicubic", True, "cut to 0..255"),
    Resize("pil_bicubic_uint8", pil_bicubic_uint8, "bicubic", True, "rounded to uint8"),
    Resize("torch_bicubic_antialias", torch_bicubic, "bicubic", True, "as it is"),
)


def way_of(name: str) -> Resize:
    """The way of this name."""
    ways = {way.name: way for way in WAYS}
    if name not in ways:
        raise InputError(
            f"resize={name} is no way to resize{did_you_mean(name, ways)}. "
            f"Set it to one of {', '.join(ways)}."
        )
    return ways[name]
