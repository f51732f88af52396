"""Laws of every prediction. The emphasis ties the loss in one space to the loss in the other."""

import torch

from imagen_lit.diffusion.prediction import Epsilon, Prediction, Velocity
from imagen_lit.diffusion.schedule import LIMIT, Schedule, diffuse

torch.manual_seed(0)
LOGSNR = torch.linspace(-12, 12, 25, dtype=torch.float64)
X, EPS, OUT = torch.randn(3, 25, 3, 4, 4, dtype=torch.float64)
Z = diffuse(X, EPS, LOGSNR)


def test_the_target_implies_the_clean_image(prediction: Prediction) -> None:
    clean = prediction.to_clean(prediction.target(X, EPS, LOGSNR), Z, LOGSNR)
    torch.testing.assert_close(clean, X, atol=1e-9, rtol=1e-9)


def test_an_error_is_the_emphasis_times_the_error_of_the_clean_image(
    prediction: Prediction,
) -> None:
    own = (OUT - prediction.target(X, EPS, LOGSNR)).square().flatten(1).mean(1)
    clean = (prediction.to_clean(OUT, Z, LOGSNR) - X).square().flatten(1).mean(1)
    torch.testing.assert_close(own, prediction.emphasis(LOGSNR) * clean, rtol=1e-7, atol=0)


def test_everything_is_finite_in_float32_at_both_ends_of_time(
    prediction: Prediction, schedule: Schedule
) -> None:
    logsnr = torch.cat([schedule(torch.tensor([0.0, 1.0])), torch.tensor([LIMIT, -LIMIT])])
    x, eps = X[:4].float(), EPS[:4].float()
    z = diffuse(x, eps, logsnr)
    target = prediction.target(x, eps, logsnr)
    for number in (target, prediction.to_clean(target, z, logsnr), prediction.emphasis(logsnr)):
        assert number.dtype == torch.float32 and torch.isfinite(number).all()


def test_an_image_does_not_depend_on_its_batch(prediction: Prediction) -> None:
    together = prediction.to_clean(OUT, Z, LOGSNR)
    alone = prediction.to_clean(OUT[7:8], Z[7:8], LOGSNR[7:8])
    torch.testing.assert_close(together[7:8], alone, rtol=0, atol=0)


def test_epsilon_is_the_formula_of_imagen() -> None:
    snr = LOGSNR.exp().reshape(-1, 1, 1, 1)
    alpha, sigma = (snr / (1 + snr)).sqrt(), (1 / (1 + snr)).sqrt()
    torch.testing.assert_close(Epsilon().to_clean(OUT, Z, LOGSNR), (Z - sigma * OUT) / alpha)


def test_velocity_is_the_speed_of_the_noisy_image_along_the_angle() -> None:
    """Salimans & Ho 2022, App. D: v = dz/dphi at alpha = cos phi, sigma = sin phi."""
    phi = torch.tensor([0.3, 0.8, 1.4], dtype=torch.float64, requires_grad=True)
    x, eps = 0.7, -1.3
    (speed,) = torch.autograd.grad((phi.cos() * x + phi.sin() * eps).sum(), phi)
    logsnr = -2 * torch.log(torch.tan(phi.detach()))
    velocity = Velocity().target(
        torch.full((3,), x).double(), torch.full((3,), eps).double(), logsnr
    )
    torch.testing.assert_close(velocity, speed)
