"""What training minimises: the weighted squared error of the network's output.

The expectation over t, x and eps (Imagen § 2.2 and App. A) is left to the caller: it passes one
time and one noise per image and gets one loss per image, so that it can average, log by noise
level, or weight a data mixture as needed.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from imagen_lit.diffusion.schedule import Schedule, diffuse

NetworkCall = Callable[[Tensor, Tensor], Tensor]  # (z [B, ...], logsnr [B]) -> output like z
Weighting = Callable[[Tensor, Tensor], Tensor]  # (logsnr [B], emphasis [B]) -> factor [B]


class Prediction(Protocol):
    """The two of a prediction's three methods that training needs."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor:
        """The correct output."""

    def emphasis(self, logsnr: Tensor) -> Tensor:
        """The weight of an error in the network's space, relative to x-space."""


def denoising_loss(
    network_call: NetworkCall,
    x: Tensor,
    eps: Tensor,
    t: Tensor,
    schedule: Schedule,
    prediction: Prediction,
    weighting: Weighting,
) -> Tensor:
    """Loss per image [B], a mean over pixels so that resolutions can be compared."""
    logsnr = schedule(t)
    out = network_call(diffuse(x, eps, logsnr), logsnr)
    error = (out - prediction.target(x, eps, logsnr)).square().flatten(1).mean(1)
    return weighting(logsnr, prediction.emphasis(logsnr)) * error


class PredictionWithVariance(Prediction, Protocol):
    """A prediction of which half of the channels are a variance."""

    def variance_loss(
        self, out: Tensor, x: Tensor, z: Tensor, t: Tensor, schedule: Schedule
    ) -> Tensor:
        """What is added for it."""


def hybrid_loss(
    network_call: NetworkCall,
    x: Tensor,
    eps: Tensor,
    t: Tensor,
    schedule: Schedule,
    prediction: PredictionWithVariance,
    weighting: Weighting,
) -> Tensor:
    """The denoising loss, and that of a learned variance. Nichol & Dhariwal 2021, eq. 16."""
    logsnr = schedule(t)
    z = diffuse(x, eps, logsnr)
    out = network_call(z, logsnr)
    mean = out[:, : x.shape[1]]
    simple = denoising_loss(lambda *_: mean, x, eps, t, schedule, prediction, weighting)
    return simple + prediction.variance_loss(out, x, z, t, schedule)
