"""Following the condition more closely than the data does.

A *guidance* turns denoisers into a denoiser. Its one method, `guide(conditional, pair)`, receives

- `conditional(z, t)`: the conditional clean estimate;
- `pair(z, t)`: the conditional *and* a reference estimate, as few forward passes as that takes.

The reference is usually the same network without its condition; that network with another text
gives a negative prompt, and a smaller or earlier network auto-guidance (Karras et al. 2024). Weight
1 means no guidance, as in Imagen, and then only `conditional` is called, so that it costs nothing.
What a guidance remembers from step to step begins anew with each call of `guide`: once a drawing.

We guide clean estimates; Imagen guides noise estimates. For a given z these are affine in each
other and the weights sum to one, so the two are equivalent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
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
        return lambda z, t: _extrapolate(*pair(z, t), self.weight)


@dataclass(frozen=True)
class Interval:
    """Guidance only while start <= t <= stop. Kynkäänniemi et al. 2024.

    Near t=1 guidance costs variety and near t=0 it changes nothing; leaving it out there also
    saves half of the work. Ours is an interval of times; theirs is the same one in noise levels,
    sigma / alpha. The other guidances have an interval too, by default all times.
    """

    weight: float
    start: float
    stop: float

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)
        _refuse_no_interval(self.start, self.stop)

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        guided = ClassifierFree(self.weight).guide(conditional, pair)
        return _within(self.start, self.stop, conditional, guided)


@dataclass(frozen=True)
class Oscillating:
    """A high weight until t = hold, and then a low and the high one in turns. Imagen Video § 2.6
    (Ho et al. 2022).

    A step with a low weight of 1 costs no reference. The turns are counted by the times at which
    an estimate is asked for, so that a sampler that asks twice at one time gets the same twice.
    """

    weight: float
    low: float = 1.0
    hold: float = 0.75
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)
        arguments.finite("guidance.low", self.low)
        arguments.fraction("guidance.hold", self.hold)
        _refuse_no_interval(self.start, self.stop)

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        low, high = (ClassifierFree(w).guide(conditional, pair) for w in (self.low, self.weight))
        turns, last = torch.tensor(0), torch.tensor(torch.nan)

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            nonlocal turns, last
            turns, last = turns + ((t < self.hold) & (t != last)), t
            is_low = turns % 2 == 1
            return _either(is_low, low, high, z, t)

        return _within(self.start, self.stop, conditional, denoise)


@dataclass(frozen=True)
class Rescaled:
    """Classifier-free guidance, and then the standard deviation of the conditional estimate for
    the share phi: 0 is classifier-free guidance itself. Lin et al. 2024, § 3.4."""

    weight: float
    phi: float = 0.7
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)
        arguments.fraction("guidance.phi", self.phi)
        _refuse_no_interval(self.start, self.stop)

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        if self.weight == 1:
            return conditional

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            """phi (std of the conditional / std of the guided) guided + (1 - phi) guided, eqs. 15
            and 16."""
            estimate, reference = pair(z, t)
            guided = _extrapolate(estimate, reference, self.weight)
            stds = (x.flatten(1).std(1).clamp(min=_TINY) for x in (estimate, guided))
            ratio = per_image(torch.divide(*stds), z)
            return guided * (1 + self.phi * (ratio - 1))

        return _within(self.start, self.stop, conditional, denoise)


@dataclass(frozen=True)
class AdaptiveProjected:
    """Classifier-free guidance whose update loses most of what only saturates. Sadat et al. 2025,
    Alg. 1.

    The update, conditional - reference, is added to `momentum` times the one before, which a
    negative momentum takes away; is shortened to a root mean square of `largest`, if it is longer;
    and of its part along the conditional estimate the share eta is kept. Their norm threshold r
    is `largest` times the root of the number of values, which therefore fits every size.
    eta=1, momentum=0 and largest=null are classifier-free guidance itself.
    """

    weight: float
    eta: float = 0.0
    momentum: float = -0.5
    largest: float | None = None
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        arguments.finite("guidance.weight", self.weight)
        arguments.finite("guidance.eta", self.eta)
        if not -1 < self.momentum < 1:
            raise InputError(
                f"guidance.momentum={self.momentum} is not between -1 and 1, beyond which the "
                "update grows with every step. Set guidance.momentum=-0.5, for example."
            )
        if self.largest is not None and not self.largest > 0:
            raise InputError(
                f"guidance.largest={self.largest} is not above 0, and would leave no guidance. Set "
                "guidance.largest=0.06, for example, or null for no limit."
            )
        _refuse_no_interval(self.start, self.stop)

    def guide(self, conditional: Denoise, pair: Pair) -> Denoise:
        """The guided denoiser."""
        if self.weight == 1:
            return conditional
        sum_of_updates = torch.tensor(0.0)

        def denoise(z: Tensor, t: Tensor) -> Tensor:
            nonlocal sum_of_updates
            estimate, reference = pair(z, t)
            before = self.momentum * sum_of_updates.to(estimate) if self.momentum else 0.0
            sum_of_updates = update = (estimate - reference) + before
            update = _shorten(update, self.largest)
            update = update + (self.eta - 1) * _part_along(update, estimate)
            return estimate + (self.weight - 1) * update

        return _within(self.start, self.stop, conditional, denoise)


_TINY = 1e-12  # instead of a division by zero


def _extrapolate(estimate: Tensor, reference: Tensor, weight: float) -> Tensor:
    """From the reference through the conditional estimate, and beyond it if w > 1."""
    return estimate + (weight - 1) * (estimate - reference)


def _shorten(update: Tensor, largest: float | None) -> Tensor:
    """Each image's update with a root mean square of `largest` at most."""
    if largest is None:
        return update
    length = update.flatten(1).square().mean(1).sqrt().clamp(min=_TINY)
    return update * per_image((largest / length).clamp(max=1), update)


def _part_along(update: Tensor, estimate: Tensor) -> Tensor:
    """Each image's update, projected on its estimate; summed in double precision, as they do."""
    u, x = (each.flatten(1).double() for each in (update, estimate))
    share = (u * x).sum(1) / x.square().sum(1).clamp(min=_TINY)
    return per_image(share.to(update.dtype), update) * estimate


def _within(start: float, stop: float, outside: Denoise, inside: Denoise) -> Denoise:
    """One denoiser while start <= t <= stop, and the other before and after."""
    if (start, stop) == (0, 1):
        return inside
    return lambda z, t: _either((start <= t) & (t <= stop), inside, outside, z, t)


def _either(is_one: Tensor, one: Denoise, other: Denoise, z: Tensor, t: Tensor) -> Tensor:
    """One denoiser for the images of which that is true, and the other for the rest; only those
    are called that are needed. Where the times are on the CPU, as in sampling, nothing is read from
    an accelerator to decide."""
    if is_one.all():
        return one(z, t)
    if not is_one.any():
        return other(z, t)
    return torch.where(per_image(is_one, z).to(z.device), one(z, t), other(z, t))


def _refuse_no_interval(start: float, stop: float) -> None:
    if not 0 <= start < stop <= 1:
        raise InputError(
            f"start={start} and stop={stop} are not times with 0 <= start < stop <= "
            "1. Set start=0.2 stop=0.9, for example."
        )
