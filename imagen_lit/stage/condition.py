"""What a picture is conditioned on, and how a batch of training data becomes that.

A `Condition` holds tensors only. A *condition maker* has `learn(batch, seed) -> Condition`: what
the network is told about `batch["image"]` while it learns, keyed per picture by (seed, position).
`TextOnly` serves the base, `TextAndLowRes` the super-resolution stages; sampling uses the same
augmentation.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.diffusion import noise
from imagen_lit.diffusion.schedule import Schedule, diffuse

Batch = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """text [B, L, D], mask [B, L]; for super-resolution lowres [B, C, h, w] and its log-SNR [B]."""

    text: Tensor
    mask: Tensor
    lowres: Tensor | None = None
    lowres_logsnr: Tensor | None = None

    def without_text(self) -> "Condition":
        """The reference of guidance: the text zeroed (Imagen § 4.1) and masked, all else as it
        is."""
        nothing = torch.zeros_like(self.text), torch.zeros_like(self.mask)
        return Condition(*nothing, self.lowres, self.lowres_logsnr)

    def beside(self, other: "Condition") -> "Condition":
        """Both conditions in one batch, this one first."""
        pairs = zip(_tensors(self), _tensors(other), strict=True)
        both: list[Any] = [a if a is None else torch.cat([a, b]) for a, b in pairs]
        return Condition(*both)

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class TextOnly:
    """The text, dropped from a share of the pictures so that guidance has a reference (Imagen §
    4.1)."""

    drop: float = 0.1

    def __post_init__(self) -> None:
        _require_share("TextOnly", drop=self.drop)

    def learn(self, batch: Batch, seed: int) -> Condition:
        return Condition(*_dropped(batch, seed, self.drop))


@dataclass(frozen=True)
class TextAndLowRes:
    """Text and a smaller picture made from the large one, with noise of a random strength in it.

    The level of this noise-conditioning augmentation is told to the network (Imagen § 2.4).
    `factor` is how many times smaller. Level 0 is the small picture itself, 1 is nothing but noise;
    the paper draws levels from 0 to 1, `up_to` keeps a short training to those that sampling uses.
    """

    schedule: Schedule
    factor: int = 4
    drop: float = 0.1
    up_to: float = 1.0

    def __post_init__(self) -> None:
        _require_share("TextAndLowRes", drop=self.drop, up_to=self.up_to)

    def learn(self, batch: Batch, seed: int) -> Condition:
        lowres = F.interpolate(batch["image"], scale_factor=1 / self.factor, mode="area")
        level = (self.up_to * noise.uniform(seed, batch["position"], "level")).to(lowres)
        eps = noise.normal(seed, batch["position"], "augmentation", lowres.shape[1:]).to(lowres)
        noisy, logsnr = augment(lowres, level, eps, self.schedule)
        return Condition(*_dropped(batch, seed, self.drop), noisy, logsnr)


def augment(
    lowres: Tensor, level: Tensor, eps: Tensor, schedule: Schedule
) -> tuple[Tensor, Tensor]:
    """Noise-conditioning augmentation: the forward process at time `level` (Imagen § 2.4, fig.
    A.32).

    The noise is added at low resolution, as in Cascaded Diffusion § 4; the paper does not say.
    """
    logsnr = schedule(level)
    noisy = diffuse(lowres, eps, logsnr)
    clean = (level == 0).reshape(-1, *[1] * (lowres.ndim - 1))
    return torch.where(clean, lowres, noisy), logsnr


def _require_share(owner: str, **shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(
                f"{owner}({name}={share}): expected 0 <= {name} <= 1, for example {name}=0.1."
            )


def _dropped(batch: Batch, seed: int, share: float) -> tuple[Tensor, Tensor]:
    kept = noise.uniform(seed, batch["position"], "drop").to(batch["image"].device) >= share
    text = batch["text"].to(batch["image"].dtype) * kept[:, None, None]
    return text, batch["mask"] & kept[:, None]


def _tensors(condition: Condition) -> tuple[Any, ...]:
    return condition.text, condition.mask, condition.lowres, condition.lowres_logsnr
