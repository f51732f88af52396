"""What an image is conditioned on, and how it is made from a batch of training data.

A `Condition` holds tensors only. A *condition maker* has `for_training(batch, seed) -> Condition`:
what `batch["image"]` is conditioned on during training, a function of (seed, position) of each
image. `TextOnly` serves the base, `TextAndLowRes` the super-resolution stages.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.diffusion import noise
from imagen_lit.diffusion.schedule import Schedule
from imagen_lit.stage.augmentation import augment

Batch = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """text [B, L, D], mask [B, L]; for super-resolution lowres [B, C, h, w] and its log-SNR [B]."""

    text: Tensor
    mask: Tensor
    lowres: Tensor | None = None
    lowres_logsnr: Tensor | None = None

    def without_text(self) -> "Condition":
        """The reference of guidance: the text zeroed and masked (Imagen § 4.1), the rest as it
        is."""
        null_text = torch.zeros_like(self.text), torch.zeros_like(self.mask)
        return Condition(*null_text, self.lowres, self.lowres_logsnr)

    def concat(self, other: "Condition") -> "Condition":
        """Both conditions in one batch, this one first."""
        pairs = zip(_tensors(self), _tensors(other), strict=True)
        both: list[Any] = [a if a is None else torch.cat([a, b]) for a, b in pairs]
        return Condition(*both)

    def rows(self, numbers: list[int]) -> "Condition":
        """Those of these images alone."""
        parts: list[Any] = [None if a is None else a[numbers] for a in _tensors(self)]
        return Condition(*parts)

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class TextOnly:
    """The text, dropped from a share of the images so that guidance has a reference (Imagen §
    4.1)."""

    drop: float = 0.1

    def __post_init__(self) -> None:
        arguments.fraction("stage.condition.drop", self.drop)

    def for_training(self, batch: Batch, seed: int) -> Condition:
        """The text, or none for the share `drop` of the images."""
        return Condition(*_drop_text(batch, seed, self.drop))


@dataclass(frozen=True)
class TextAndLowRes:
    """Text, and a smaller image made from the large one with noise of a random level in it.

    `factor` is how many times smaller. The small image is an area mean, while a base learns from
    bicubically reduced images: noise of level 0.05 hides the difference, level 0 does not. The
    paper draws augmentation levels from 0 to 1; `max_aug_level` restricts a short run to those that
    sampling uses.
    """

    schedule: Schedule
    factor: int = 4
    drop: float = 0.1
    max_aug_level: float = 1.0

    def __post_init__(self) -> None:
        arguments.whole_number("stage.condition.factor", self.factor, 1)
        arguments.fraction("stage.condition.drop", self.drop)
        arguments.fraction("stage.condition.max_aug_level", self.max_aug_level)

    def for_training(self, batch: Batch, seed: int) -> Condition:
        """The text, the noisy low-resolution image and its log-SNR."""
        lowres = F.interpolate(batch["image"], scale_factor=1 / self.factor, mode="area")
        position = batch["position"]
        aug_level = self.max_aug_level * noise.uniform(seed, position, "level")
        eps = noise.normal(seed, position, "augmentation", lowres.shape[1:])
        noisy, logsnr = augment(lowres, aug_level, eps, self.schedule)
        return Condition(*_drop_text(batch, seed, self.drop), noisy, logsnr)


def _drop_text(batch: Batch, seed: int, share: float) -> tuple[Tensor, Tensor]:
    keep = noise.uniform(seed, batch["position"], "drop") >= share
    text = batch["text"].to(batch["image"].dtype) * keep[:, None, None]
    return text, batch["mask"] & keep[:, None]


def _tensors(condition: Condition) -> tuple[Any, ...]:
    return condition.text, condition.mask, condition.lowres, condition.lowres_logsnr
