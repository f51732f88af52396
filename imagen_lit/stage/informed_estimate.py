"""The estimate that a sampler sees, with what the network says of the noise beside it."""

from collections.abc import Callable

from torch import Tensor

from imagen_lit.stage.denoiser import Denoiser


class InformedEstimate:
    """(z, t) -> the guided clean estimate; then `gamma` is that of the denoiser's pass, None if its
    prediction has none. Guidance puts the conditional images first, and its reference has no say
    in the noise (DeepFloyd IF)."""

    def __init__(self, estimate: Callable[[Tensor, Tensor], Tensor], denoiser: Denoiser) -> None:
        self.estimate, self.denoiser, self.images = estimate, denoiser, 0

    def __call__(self, z: Tensor, t: Tensor) -> Tensor:
        """The estimate."""
        self.images = len(z)
        return self.estimate(z, t)

    @property
    def gamma(self) -> Tensor | None:
        """[B, ...], of the images of the last call."""
        gamma = self.denoiser.gamma
        return None if gamma is None else gamma[: self.images]
