"""How a trained stage is turned into pictures: where all swappable parts meet.

Bind the condition, alone and beside its null; guide; threshold; hand the resulting `(z, t) -> x`
to the sampler. A picture depends on its seed and its condition, never on its batch.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from imagen_lit.diffusion import noise
from imagen_lit.diffusion.sampler import Sampler, trajectory
from imagen_lit.diffusion.schedule import Schedule
from imagen_lit.stage.condition import Condition, augment
from imagen_lit.stage.denoiser import Denoiser

Threshold = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Recipe:
    """`level` is the augmentation of the low-resolution picture: 0.1 to 0.3 draws best (Imagen
    App. D.2)."""

    sampler: Sampler
    guidance: Any
    threshold: Threshold
    steps: int
    level: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 1:
            raise ValueError(
                f"Recipe(level={self.level}): expected 0 <= level <= 1, from the small picture "
                "itself to nothing but noise, for example level=0.2."
            )

    def trajectory(
        self, denoiser: Denoiser, condition: Condition, seeds: Sequence[int], size: int
    ) -> Iterator[Tensor]:
        """Yield [B, 3, size, size] after every step; the last one is the picture."""
        guided = self.guidance.guide(denoiser.bind(condition), denoiser.bind_pair(condition))
        device, shape = condition.text.device, (3, size, size)

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            return self.threshold(guided(z, t))

        def fresh(purpose: str) -> Tensor:
            return noise.normal(0, seeds, f"{size} {purpose}", shape).to(device)

        yield from trajectory(
            self.sampler,
            denoise,
            fresh("start"),
            denoiser.schedule,
            self.steps,
            lambda step: fresh(f"step {step}"),
        )

    @torch.no_grad()  # inference mode is not for weights that FSDP brings and takes away
    def draw(
        self, denoiser: Denoiser, condition: Condition, seeds: Sequence[int], size: int
    ) -> Tensor:
        (picture,) = deque(self.trajectory(denoiser, condition, seeds, size), maxlen=1)
        return picture.clamp(-1, 1)

    def with_lowres(
        self, condition: Condition, lowres: Tensor, schedule: Schedule, seeds: Sequence[int]
    ) -> Condition:
        """The text joined by a smaller picture, corrupted once to this recipe's level (fig. A.32
        b)."""
        eps = noise.normal(0, seeds, f"{lowres.shape[-1]} augmentation", lowres.shape[1:])
        level = torch.full((len(lowres),), self.level, device=lowres.device)
        noisy, logsnr = augment(lowres, level, eps.to(lowres), schedule)
        return Condition(condition.text, condition.mask, noisy, logsnr)
