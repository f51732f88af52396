"""How a trained stage draws images: where all exchangeable parts meet.

Bind the condition, alone and with guidance's reference; guide; threshold; pass the resulting
`(z, t) -> x` to the sampler. An image depends on its seed and its condition; its batch changes no
more than its rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.guidance import Guidance
from imagen_lit.diffusion.sampler import Sampler, trajectory
from imagen_lit.diffusion.spacing import Spacing, Time
from imagen_lit.stage import seed
from imagen_lit.stage.augmentation import Augmentation
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.edit import NO_EDIT, Edit
from imagen_lit.stage.informed_estimate import InformedEstimate
from imagen_lit.stage.reference import Reference
from imagen_lit.stage.seed import Seed

Threshold = Callable[[Tensor], Tensor]
Size = int | tuple[int, int]  # the edge of a square, or height and width
UNIFORM = Time()
PRECISIONS = ("32-true", "bf16-mixed")  # as Lightning calls them


@dataclass(frozen=True)
class Recipe:
    """`aug_level` is the augmentation of the low-resolution image: 0.1 to 0.3 is best (Imagen App.
    D.2). With `precision` bf16-mixed the network computes in bfloat16, but for its ends; the
    sampler's numbers are float32 in any case."""

    sampler: Sampler
    guidance: Guidance
    threshold: Threshold
    steps: int
    aug_level: float = 0.0
    precision: str = PRECISIONS[0]
    spacing: Spacing = UNIFORM

    def __post_init__(self) -> None:
        arguments.whole_number("recipe.steps", self.steps, 1)
        if self.precision not in PRECISIONS:
            raise InputError(
                f"recipe.precision={self.precision} is not one of {', '.join(PRECISIONS)}. "
                "Set precision=bf16-mixed, for example."
            )
        if not 0 <= self.aug_level <= 1:
            raise InputError(
                f"aug_level={self.aug_level} is not between 0, the low-resolution image itself, "
                "and 1, pure noise. Set aug_level=0.2, for example."
            )

    def trajectory(
        self,
        denoiser: Denoiser,
        condition: Condition,
        seeds: Sequence[Seed],
        size: Size,
        each_estimate: Callable[[Tensor], None] = lambda x: None,
        edit: Edit = NO_EDIT,
        reference: Reference | None = None,
    ) -> Iterator[Tensor]:
        """Yield [B, 3, H, W] after every step; the last one is the image. `each_estimate` is
        called with each guided clean estimate, before its threshold and what `edit` makes of it.
        The reference of guidance is the same network without text, unless there is another."""
        height, width = (size, size) if isinstance(size, int) else size
        name = f"{height}" if height == width else f"{height}x{width}"
        reference = reference or Reference(denoiser, condition.without_text())
        guided = self.guidance.guide(denoiser.bind(condition), reference.pair(denoiser, condition))
        autocast = torch.autocast if self.precision == "bf16-mixed" else _as_it_is
        device = condition.text.device

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            with autocast(z.device.type, torch.bfloat16):
                x = guided(z, t).float()
            each_estimate(x)
            return edit.constraint(self.threshold(x))

        def fresh_noise(purpose: str) -> Tensor:
            return seed.normal(seeds, f"{name} {purpose}", (3, height, width), device)

        schedule = denoiser.schedule
        first = edit.first(schedule, self.steps, self.spacing)
        time = float(self.spacing(schedule, self.steps)[first])
        yield from trajectory(
            self.sampler,
            InformedEstimate(denoise, denoiser),
            edit.noisy(fresh_noise("start"), schedule, time),
            schedule,
            self.steps,
            lambda step: fresh_noise(f"step {step}"),
            self.spacing,
            first,
            edit.jumps.legs,
        )

    @torch.no_grad()  # inference mode does not work on weights that FSDP gathers and frees
    def draw(
        self,
        denoiser: Denoiser,
        condition: Condition,
        seeds: Sequence[Seed],
        size: Size,
        each_step: Callable[[int], None] = lambda number: None,
        each_estimate: Callable[[Tensor], None] = lambda x: None,
        edit: Edit = NO_EDIT,
        reference: Reference | None = None,
    ) -> Tensor:
        """The images [B, 3, H, W] in [-1, 1]; `each_step` is called after each, from 1 on."""
        images = torch.empty(0)
        steps = self.trajectory(denoiser, condition, seeds, size, each_estimate, edit, reference)
        for number, z in enumerate(steps, 1):
            each_step(number)
            images = z
        return images.clamp(-1, 1)

    def with_lowres(
        self,
        condition: Condition,
        lowres: Tensor,
        augmentation: Augmentation,
        seeds: Sequence[Seed],
    ) -> Condition:
        """The text together with a smaller image, augmented once to this recipe's level (fig. A.32
        b)."""
        lowres = augmentation.enlarged(lowres)
        purpose = f"{lowres.shape[-1]} augmentation"
        eps = seed.normal(seeds, purpose, lowres.shape[1:], lowres.device)
        aug_level = torch.full((len(lowres),), self.aug_level, device=lowres.device)
        augmented, logsnr = augmentation.for_drawing(lowres, aug_level, eps)
        return Condition(condition.text, condition.mask, augmented, logsnr)


def _as_it_is(device: str, dtype: torch.dtype) -> AbstractContextManager[None]:
    """Under the autocast, if any, that the caller has set."""
    return nullcontext()
