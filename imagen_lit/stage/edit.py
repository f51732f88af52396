"""What a drawing takes from an image that is there already: where its noise starts, and what it
must agree with.

An edit is a start, a constraint, and jumps, on the one loop that draws everything
(imagen_lit/diffusion/sampler.py). Without any of the three it is an ordinary drawing, bit for bit.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.constraint import (
    Both,
    Constraint,
    Grey,
    Parts,
    Pixels,
    SmallImage,
    free,
    grey,
)
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.diffusion.schedule import Schedule, alpha_sigma
from imagen_lit.diffusion.spacing import Spacing

ONCE = Jumps()


@dataclass(frozen=True)
class Edit:
    """`start`: images [B, 3, H, W] in [-1, 1] to which noise of time `strength` is added, as in
    SDEdit (Meng et al. 2022); strength 1 is pure noise, and leaves nothing of them. `size`: height
    and width of the canvas, where it is not the stage's own."""

    start: Tensor | None = None
    strength: float = 1.0
    constraint: Constraint = free
    jumps: Jumps = ONCE
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise InputError(
                f"strength={self.strength} is not above 0 and at most 1, which leaves nothing of "
                "the image. Set strength=0.6, for example."
            )

    def of(self, picture: Tensor, hole: Tensor, known: Tensor, share: Tensor) -> "Edit":
        """Of a picture that is given but for the hole [B, 1, H, W], with this strength and these
        jumps. Of a pixel in the hole, as of one at its edge, the share [B, 1, H, W] may be given,
        and what it has in it, `known` [B, 3, H, W]."""
        constraint = Both(Parts(known, share), Pixels(picture, ~hole))
        return replace(self, start=picture, constraint=constraint, size=_size(picture))

    def of_grey(self, picture: Tensor) -> "Edit":
        """Of a picture whose grey values are given, and whose colours are not."""
        return replace(self, constraint=Grey(grey(picture)), size=_size(picture))

    def of_small(self, small: Tensor, factor: int) -> "Edit":
        """Of a picture of which so many times smaller a one is given."""
        height, width = _size(small)
        size = height * factor, width * factor
        return replace(self, constraint=SmallImage(small), size=size)

    def first(self, schedule: Schedule, steps: int, spacing: Spacing) -> int:
        """The position of the first time: the first that is not above the strength, and the last
        before the clean image where all are."""
        if self.start is None:
            return 0
        times = spacing(schedule, steps)[:-1]
        return min(int((times > self.strength).sum()), steps - 1)

    def noisy(self, eps: Tensor, schedule: Schedule, time: float) -> Tensor:
        """The z at which the loop starts, with this noise."""
        if self.start is None or time == 1:
            return eps
        logsnr = schedule(torch.tensor(time, dtype=eps.dtype, device=eps.device))
        alpha, sigma = alpha_sigma(logsnr)
        return alpha * self.start.to(eps) + sigma * eps

    def evaluations(self, schedule: Schedule, steps: int, spacing: Spacing) -> int:
        """How many steps the loop makes in all, the last one too."""
        return self.jumps.steps(self.first(schedule, steps, spacing), steps - 1) + 1


NO_EDIT = Edit()


def _size(picture: Tensor) -> tuple[int, int]:
    height, width = picture.shape[-2:]
    return height, width
