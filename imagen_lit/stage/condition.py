"""What an image is conditioned on, and how it is made from a batch of training data.

A `Condition` holds tensors only. A *condition maker* has `for_training(batch, seed) -> Condition`:
what `batch["image"]` is conditioned on during training, a function of (seed, position) of each
image. `TextOnly` serves the base, `TextAndLowRes` the super-resolution stages.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from imagen_lit.basics import arguments, reduction
from imagen_lit.diffusion import noise
from imagen_lit.diffusion.schedule import Cosine, Schedule
from imagen_lit.stage.augmentation import Augmentation, GaussianNoise
from imagen_lit.stage.null_text import MaskedZeros, NullText

Batch = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """text [B, L, D], mask [B, L]; for super-resolution lowres [B, C, h, w] and its log-SNR [B].

    An image whose mask is empty has no text; the denoiser reads its null text there
    (imagen_lit/stage/null_text.py)."""

    text: Tensor
    mask: Tensor
    lowres: Tensor | None = None
    lowres_logsnr: Tensor | None = None

    def without_text(self) -> "Condition":
        """The reference of guidance: no text (Imagen § 4.1), the rest as it is."""
        no_text = torch.zeros_like(self.text), torch.zeros_like(self.mask)
        return Condition(*no_text, self.lowres, self.lowres_logsnr)

    def with_text(self, other: "Condition") -> "Condition":
        """The other's text, the rest as it is."""
        return Condition(other.text, other.mask, self.lowres, self.lowres_logsnr)

    def concat(self, other: "Condition") -> "Condition":
        """Both conditions in one batch, this one first, with texts as long as the longer one."""
        tokens = max(self.text.shape[1], other.text.shape[1])
        padded = [each._padded(tokens) for each in (self, other)]
        pairs = zip(*map(_tensors, padded), strict=True)
        both: list[Any] = [a if a is None else torch.cat([a, b]) for a, b in pairs]
        return Condition(*both)

    def rows(self, numbers: list[int]) -> "Condition":
        """Those of these images alone."""
        parts: list[Any] = [None if a is None else a[numbers] for a in _tensors(self)]
        return Condition(*parts)

    def _padded(self, tokens: int) -> "Condition":
        """With places without a token, to a text of this length."""
        more = tokens - self.text.shape[1]
        text, mask = pad(self.text, (0, 0, 0, more)), pad(self.mask, (0, more))
        return Condition(text, mask, self.lowres, self.lowres_logsnr)

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class TextOnly:
    """The text, dropped from a share of the images so that guidance has a reference (Imagen §
    4.1); `null_text` is what the network reads instead."""

    drop: float = 0.1
    null_text: NullText = field(default_factory=MaskedZeros)

    def __post_init__(self) -> None:
        arguments.fraction("stage.condition.drop", self.drop)

    def for_training(self, batch: Batch, seed: int) -> Condition:
        """The text, or none for the share `drop` of the images."""
        return Condition(*_drop_text(batch, seed, self.drop))


@dataclass(frozen=True)
class TextAndLowRes:
    """Text, and an augmented smaller image made from the large one.

    `factor` is how many times smaller, `kernel` how it is made smaller: with a base's own
    (`data.kernel`) it is what the base learns to draw. Noise of level 0.05 hides the difference,
    level 0 does not. `schedule` and `max_aug_level` are how runs of earlier versions name the
    levels of their GaussianNoise.
    """

    schedule: Schedule | None = None
    factor: int = 4
    drop: float = 0.1
    max_aug_level: float = 1.0
    augmentation: Augmentation = None  # type: ignore[assignment]  # None: the noise of these levels
    kernel: str = "box"
    null_text: NullText = field(default_factory=MaskedZeros)

    def __post_init__(self) -> None:
        arguments.whole_number("stage.condition.factor", self.factor, 1)
        arguments.fraction("stage.condition.drop", self.drop)
        reduction.refuse_unknown("stage.condition.kernel", self.kernel)
        if self.augmentation is None:
            noise_alone = GaussianNoise(self.schedule or Cosine(), self.max_aug_level)
            object.__setattr__(self, "augmentation", noise_alone)

    def for_training(self, batch: Batch, seed: int) -> Condition:
        """The text, the augmented low-resolution image and its log-SNR."""
        lowres = small_image(batch["image"], self.factor, self.kernel)
        augmented, logsnr = self.augmentation.for_training(lowres, seed, batch["position"])
        return Condition(*_drop_text(batch, seed, self.drop), augmented, logsnr)


def small_image(images: Tensor, factor: int, kernel: str) -> Tensor:
    """[B, C, H, W] in [-1, 1] -> as many times smaller, in [-1, 1]."""
    height, width = images.shape[-2:]
    return reduction.reduce(images, (height // factor, width // factor), kernel).clamp(-1, 1)


def _drop_text(batch: Batch, seed: int, share: float) -> tuple[Tensor, Tensor]:
    keep = noise.uniform(seed, batch["position"], "drop") >= share
    text = batch["text"].to(batch["image"].dtype) * keep[:, None, None]
    return text, batch["mask"] & keep[:, None]


def _tensors(condition: Condition) -> tuple[Any, ...]:
    return condition.text, condition.mask, condition.lowres, condition.lowres_logsnr
