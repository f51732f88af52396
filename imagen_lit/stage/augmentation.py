"""Conditioning augmentation: what is done to the low-resolution image, so that a super-resolution
does not trust it too much (Imagen § 2.4, fig. A.32; Cascaded Diffusion § 4).

An augmentation gives the image and a log-SNR, which the network is told. `max_aug_level` is the
highest level at which a stage that was trained with it may draw.
"""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.diffusion import noise
from imagen_lit.diffusion.schedule import Cosine, Schedule, diffuse

CLEAN = Cosine()  # its time 0 says that there is no noise


class Augmentation(Protocol):
    """What a condition and a recipe need. For the reader; nothing inherits from it."""

    @property
    def max_aug_level(self) -> float:
        """0 where there is no noise."""

    def enlarged(self, lowres: Tensor) -> Tensor:
        """[B, C, h, w] at the size at which it is augmented: its own, with most."""

    def for_training(self, lowres: Tensor, seed: int, position: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, h, w] -> the same, augmented by the position of each, and their log-SNR [B]."""

    def for_drawing(self, lowres: Tensor, aug_level: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """The same at a level [B] that was chosen, with noise that was drawn."""


class AtItsSize:
    """What augments the small image itself."""

    def enlarged(self, lowres: Tensor) -> Tensor:
        """The image as it is."""
        return lowres


class NoAugmentation(AtItsSize):
    """The image as it is."""

    max_aug_level = 0.0

    def for_training(self, lowres: Tensor, seed: int, position: Tensor) -> tuple[Tensor, Tensor]:
        """The image, and the log-SNR of no noise."""
        return _clean(lowres)

    def for_drawing(self, lowres: Tensor, aug_level: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """The same."""
        return _clean(lowres)


class GaussianNoise(AtItsSize):
    """Noise of a level that is uniform from 0 to `max_aug_level`, for each image. The paper: 1;
    less is truncated to the levels that sampling uses."""

    def __init__(self, schedule: Schedule, max_aug_level: float = 1.0) -> None:
        key = "stage.condition.augmentation.max_aug_level"
        self.schedule = schedule
        self.max_aug_level = arguments.fraction(key, max_aug_level)

    def for_training(self, lowres: Tensor, seed: int, position: Tensor) -> tuple[Tensor, Tensor]:
        """Each image with noise of its own level."""
        aug_level = self.max_aug_level * noise.uniform(seed, position, "level")
        eps = noise.normal(seed, position, "augmentation", lowres.shape[1:])
        return augment(lowres, aug_level, eps, self.schedule)

    def for_drawing(self, lowres: Tensor, aug_level: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """With noise of this level."""
        return augment(lowres, aug_level, eps, self.schedule)


class EnlargedNoise(GaussianNoise):
    """The same noise, of the image `factor` times enlarged: DeepFloyd IF, whose noise is at the
    resolution of the stage. The corner pixels of both lie on each other, which is IF's way to
    enlarge; ours are the pixels' squares."""

    def __init__(self, schedule: Schedule, max_aug_level: float = 1.0, factor: int = 4) -> None:
        super().__init__(schedule, max_aug_level)
        key = "stage.condition.augmentation.factor"
        self.factor = arguments.whole_number(key, factor, 1)

    def enlarged(self, lowres: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, factor h, factor w]."""
        size = [edge * self.factor for edge in lowres.shape[-2:]]
        return F.interpolate(lowres, size=size, mode="bilinear", align_corners=True)

    def for_training(self, lowres: Tensor, seed: int, position: Tensor) -> tuple[Tensor, Tensor]:
        """Each image, enlarged, with noise of its own level."""
        return super().for_training(self.enlarged(lowres), seed, position)


class GaussianBlur(AtItsSize):
    """Blur of a `share` of the training images, of which the network is not told; none in drawing.

    sigma is uniform from `min_sigma` to `max_sigma`, in small pixels; the kernel reaches `radius`
    pixels far, and the image is mirrored beyond its edge.
    """

    max_aug_level = 0.0

    def __init__(
        self, share: float = 0.5, min_sigma: float = 0.4, max_sigma: float = 0.6, radius: int = 1
    ) -> None:
        key = "stage.condition.augmentation"
        self.share = arguments.fraction(f"{key}.share", share)
        self.min_sigma = arguments.positive_number(f"{key}.min_sigma", min_sigma)
        self.max_sigma = arguments.number(f"{key}.max_sigma", max_sigma, min_sigma)
        self.radius = arguments.whole_number(f"{key}.radius", radius, 1)

    def for_training(self, lowres: Tensor, seed: int, position: Tensor) -> tuple[Tensor, Tensor]:
        """The share of the images blurred, the others as they are."""
        spread = noise.uniform(seed, position, "blur sigma")
        sigma = self.min_sigma + (self.max_sigma - self.min_sigma) * spread
        is_blurred = noise.uniform(seed, position, "blur") < self.share
        blurred = blur(lowres, sigma, self.radius)
        return _clean(torch.where(is_blurred[:, None, None, None], blurred, lowres))

    def for_drawing(self, lowres: Tensor, aug_level: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """The image as it is."""
        return _clean(lowres)


def augment(
    lowres: Tensor, aug_level: Tensor, eps: Tensor, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """The forward process at time `aug_level` [B]: the noisy images and their log-SNR.

    Level 0 is the image itself, 1 is pure noise. The noise is added at low resolution, as in
    Cascaded Diffusion § 4; the Imagen paper does not say.
    """
    logsnr = schedule(aug_level)
    noisy = diffuse(lowres, eps, logsnr)
    is_clean = (aug_level == 0).reshape(-1, *[1] * (lowres.ndim - 1))
    return torch.where(is_clean, lowres, noisy), logsnr


def blur(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """[B, C, H, W] blurred by a Gaussian of each image's own sigma [B], along rows and columns."""
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    weights = torch.exp(-offsets.square() / (2 * sigma[:, None].square()))
    weights = (weights / weights.sum(1, keepdim=True)).to(images.dtype)
    for dim in (2, 3):
        pads = (0, 0, radius, radius) if dim == 2 else (radius, radius, 0, 0)
        windows = F.pad(images, pads, mode="reflect").unfold(dim, 2 * radius + 1, 1)
        images = (windows * weights[:, None, None, None]).sum(-1)
    return images


def _clean(lowres: Tensor) -> tuple[Tensor, Tensor]:
    return lowres, CLEAN(torch.zeros(len(lowres), device=lowres.device))
