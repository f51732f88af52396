"""Following the condition more closely than the data does.

A *guidance* turns denoisers into a denoiser. Its one method, `guide(conditional, pair)`, receives

- `conditional(z, t)`: the conditional clean estimate;
- `pair(z, t)`: the conditional *and* a reference estimate, both from one batched forward pass.

The reference is usually the same network without its condition; a smaller network instead gives
auto-guidance (Karras et al. 2024). Weight 1 means no guidance, as in Imagen, and then only
`conditional` is called, so that it costs nothing.

We guide clean estimates; Imagen guides noise estimates. For a given z these are affine in each
other and the weights sum to one, so the two are equivalent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.schedule import per_image

Denoise = Callable[[Tensor, Tensor], Tensor]  # (z [B, ...], t [B]) -> clean estimate
Pair = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # -> (conditional, reference)


class Guidance(Protocol):
    """What a recipe needs from a guidance. For the reader; nothing inherits from it."""

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser, (z, t) -> clean estimate."""


@dataclass(frozen=True)
class ClassifierFree:
    """w conditional + (1 - w) reference. Ho & Salimans 2021; Imagen § 2.2, eq. 2."""

    weight: float

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        if self.weight == 1:
            return conditional

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            estimate, reference = pair(z, t)
            return estimate + (self.weight - 1) * (estimate - reference)

        return denoise


@dataclass(frozen=True)
class Interval:
    """Guidance only while start <= t <= stop. Kynkäänniemi et al. 2024.

    Near t=1 guidance costs variety and near t=0 it changes nothing; leaving it out there also
    saves half of the work. Ours is an interval of times; theirs is the same one in noise levels,
    sigma / alpha. Where the times are on the CPU, as in sampling, nothing is read from an
    accelerator to decide.
    """

    weight: float
    start: float
    stop: float

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)
        if not 0 <= self.start < self.stop <= 1:
            raise InputError(
                f"start={self.start} and stop={self.stop} are not times with 0 <= start < stop <= "
                "1. Set start=0.2 stop=0.9, for example."
            )

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        if self.weight == 1:
            return conditional

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            is_inside = (self.start <= t) & (t <= self.stop)
            if not is_inside.any():
                return conditional(z, t)
            estimate, reference = pair(z, t)
            extra = (self.weight - 1) * per_image(is_inside, z).to(estimate)
            return estimate + extra * (estimate - reference)

        return denoise
