"""What training makes small: the weighted squared error of the network's answer.

The expectation over t, x and eps (Imagen § 2.2 and App. A) is the caller's: it hands in one time
and one noise per picture and gets one loss per picture, so that it may average, log by noise level,
or weigh a data mixture as it likes.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from imagen_lit.diffusion.schedule import Schedule, diffuse

NetworkCall = Callable[[Tensor, Tensor], Tensor]  # (z [B, ...], logsnr [B]) -> answer like z
Weighting = Callable[[Tensor, Tensor], Tensor]  # (logsnr [B], emphasis [B]) -> factor [B]


class Prediction(Protocol):
    """The two of a prediction's three methods that learning needs."""

    def target(self, x: Tensor, eps: Tensor, logsnr: Tensor) -> Tensor: ...
    def emphasis(self, logsnr: Tensor) -> Tensor: ...


def denoising_loss(
    network_call: NetworkCall,
    x: Tensor,
    eps: Tensor,
    t: Tensor,
    schedule: Schedule,
    prediction: Prediction,
    weighting: Weighting,
) -> Tensor:
    """Loss per picture [B], a mean over pixels so that resolutions can be compared."""
    logsnr = schedule(t)
    out = network_call(diffuse(x, eps, logsnr), logsnr)
    error = (out - prediction.target(x, eps, logsnr)).square().flatten(1).mean(1)
    return weighting(logsnr, prediction.emphasis(logsnr)) * error
