"""What a clean estimate has to agree with: given pixels, given grey values, a given small image.

A *constraint* is a function x -> x, applied to each thresholded clean estimate, the last one too.
It knows a measurement y = A x of the image that is wanted, and puts it in place of that of the
estimate, x + B (y - A x) with A B = 1 (DDNM: Wang et al. 2023, eq. 8): afterwards the estimate has
exactly this measurement, and what the measurement does not see is as it was. An estimate that
agrees already stays as it is.

Shapes: images [B, 3, H, W] in [-1, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Constraint = Callable[[Tensor], Tensor]
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue: ITU-R BT.601


def free(x: Tensor) -> Tensor:
    """Nothing to agree with."""
    return x


@dataclass(frozen=True)
class Pixels:
    """The pixels of `image` where `mask`, [B, 1, H, W], is true. Inpainting, uncropping."""

    image: Tensor
    mask: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """With those pixels, to the last bit."""
        return torch.where(self.mask.to(x.device), self.image.to(x), x)


@dataclass(frozen=True)
class Parts:
    """The part `known`, [B, 3, H, W], that given pixels of a larger image have in each pixel, which
    is the share `share`, [B, 1, H, W], of it; the rest of it may be anything in [-1, 1]."""

    known: Tensor
    share: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Within what such pixels can be."""
        known, rest = self.known.to(x), 1 - self.share.to(x)
        return torch.maximum(torch.minimum(x, known + rest), known - rest)


@dataclass(frozen=True)
class Both:
    """Two constraints, of which the second has the last word."""

    first: Constraint
    second: Constraint

    def __call__(self, x: Tensor) -> Tensor:
        """One after the other."""
        return self.second(self.first(x))


@dataclass(frozen=True)
class Grey:
    """The grey values of `image`, [B, 1, H, W]. Colourisation."""

    image: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """With those grey values: all three colours move alike, so hue differences stay."""
        return x + (self.image.to(x) - grey(x))


@dataclass(frozen=True)
class SmallImage:
    """The image that the box kernel makes of it, [B, 3, h, w]. Super-resolution, consistency."""

    image: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """With that small image: all pixels of a box move alike."""
        difference = self.image.to(x) - F.interpolate(x, self.image.shape[-2:], mode="area")
        return x + F.interpolate(difference, x.shape[-2:], mode="nearest")


def grey(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 1, H, W], the luma."""
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(1, keepdim=True)
