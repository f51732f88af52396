"""The loss equals formulas that are written independently of it."""

import numpy as np
import torch
from torch import Tensor

from imagen_lit.diffusion.loss import Prediction, Weighting, denoising_loss
from imagen_lit.diffusion.prediction import Clean, Epsilon, Velocity
from imagen_lit.diffusion.schedule import Cosine, Schedule, diffuse
from imagen_lit.diffusion.weighting import min_snr, plain

torch.manual_seed(0)
X, EPS = torch.randn(2, 6, 3, 4, 4, dtype=torch.float64)
TIMES = torch.tensor([0.05, 0.2, 0.4, 0.6, 0.8, 0.95], dtype=torch.float64)


def network_call(z: Tensor, logsnr: Tensor) -> Tensor:
    """A network of one line that uses both of its inputs."""
    return torch.tanh(1.3 * z + 0.1 * logsnr.reshape(-1, 1, 1, 1))


def test_a_perfect_network_has_no_loss(
    schedule: Schedule, prediction: Prediction, weighting: Weighting
) -> None:
    target = prediction.target(X, EPS, schedule(TIMES))
    loss = denoising_loss(lambda z, l: target, X, EPS, TIMES, schedule, prediction, weighting)  # noqa: E741
    assert loss.shape == (6,) and (loss == 0).all()


def test_each_image_has_its_own_loss(
    schedule: Schedule, prediction: Prediction, weighting: Weighting
) -> None:
    parts = (schedule, prediction, weighting)
    together = denoising_loss(network_call, X, EPS, TIMES, *parts)
    alone = denoising_loss(network_call, X[2:3], EPS[2:3], TIMES[2:3], *parts)
    torch.testing.assert_close(together[2:3], alone)
    assert (together > 0).all()


def test_with_epsilon_and_plain_it_is_the_loss_of_imagen() -> None:
    angle = (TIMES.numpy() + 0.008) / 1.008 * np.pi / 2
    alpha_bar = (np.cos(angle) / np.cos(0.008 / 1.008 * np.pi / 2)) ** 2
    expected = []
    for x, eps, a in zip(X.numpy(), EPS.numpy(), alpha_bar, strict=True):
        z = np.sqrt(a) * x + np.sqrt(1 - a) * eps
        out = np.tanh(1.3 * z + 0.1 * np.log(a / (1 - a)))
        expected.append(np.mean((out - eps) ** 2))
    loss = denoising_loss(network_call, X, EPS, TIMES, Cosine(), Epsilon(), plain)
    torch.testing.assert_close(loss, torch.tensor(expected))


def test_the_min_snr_loss_does_not_depend_on_the_prediction() -> None:
    """The same estimate, as noise, image or velocity, costs min(SNR, 5) |error|^2."""
    schedule = Cosine()
    logsnr = schedule(TIMES)
    z = diffuse(X, EPS, logsnr)
    estimate = torch.tanh(z)
    snr = logsnr.exp().reshape(-1, 1, 1, 1)
    alpha, sigma = (snr / (1 + snr)).sqrt(), (1 / (1 + snr)).sqrt()
    noise = (z - alpha * estimate) / sigma
    expected = (snr.clamp(max=5) * (estimate - X) ** 2).flatten(1).mean(1)
    outputs = [
        (Epsilon(), noise),
        (Clean(), estimate),
        (Velocity(), alpha * noise - sigma * estimate),
    ]
    for prediction, output in outputs:
        loss = denoising_loss(
            lambda z, logsnr, output=output: output, X, EPS, TIMES, schedule, prediction, min_snr
        )
        torch.testing.assert_close(loss, expected)
