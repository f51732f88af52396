"""Laws of every schedule, and the numbers of the papers."""

import math

import numpy as np
import pytest
import torch

from imagen_lit.diffusion.schedule import (
    LIMIT,
    Cosine,
    Linear,
    Schedule,
    Shifted,
    alpha_sigma,
    diffuse,
)

T = torch.linspace(0, 1, 1001, dtype=torch.float64)


def test_the_snr_falls(schedule: Schedule) -> None:
    logsnr = schedule(T)
    assert (logsnr.diff() <= 0).all()
    assert (logsnr[1:-1].diff() < 0).all()


def test_clean_at_zero_and_noise_at_one(schedule: Schedule) -> None:
    (alpha, sigma) = alpha_sigma(schedule(torch.tensor([0.0, 1.0], dtype=torch.float64)))
    assert sigma[0] < 0.02 and alpha[1] < 0.02


def test_alpha_and_sigma_preserve_variance(schedule: Schedule) -> None:
    alpha, sigma = alpha_sigma(schedule(T))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(T))


def test_alpha_and_sigma_have_the_ratio_of_the_logsnr(schedule: Schedule) -> None:
    alpha, sigma = alpha_sigma(schedule(T))
    torch.testing.assert_close(torch.log(alpha**2 / sigma**2), schedule(T))


def test_every_logsnr_is_finite_and_within_the_limit_in_float32(schedule: Schedule) -> None:
    logsnr = schedule(T.float())
    assert logsnr.dtype == torch.float32
    assert torch.isfinite(logsnr).all() and (logsnr.abs() <= LIMIT).all()
    for amplitude in alpha_sigma(logsnr):
        assert (amplitude > 0).all()


def test_float32_agrees_with_float64(schedule: Schedule) -> None:
    inner = T[1:-1].float()
    torch.testing.assert_close(
        schedule(inner).double(), schedule(inner.double()), atol=2e-3, rtol=0
    )


def test_inverse_leads_back_to_the_time(schedule: Schedule) -> None:
    logsnr = schedule(T)
    inside = logsnr.abs() < LIMIT
    torch.testing.assert_close(schedule.inverse(logsnr)[inside], T[inside], atol=1e-6, rtol=0)


def test_inverse_of_anything_is_a_time(schedule: Schedule) -> None:
    t = schedule.inverse(torch.linspace(-100, 100, 201))
    assert ((0 <= t) & (t <= 1)).all()


def test_noise_of_an_image_does_not_depend_on_its_batch(schedule: Schedule) -> None:
    torch.testing.assert_close(schedule(T)[[3, 500]], schedule(T[[3, 500]]), rtol=0, atol=0)


def test_diffuse_mixes_each_image_by_its_own_amplitudes() -> None:
    x, eps = torch.randn(2, 2, 3, 4, 4, dtype=torch.float64)
    logsnr = torch.tensor([math.log(0.64 / 0.36), math.log(0.36 / 0.64)], dtype=torch.float64)
    z = diffuse(x, eps, logsnr)
    torch.testing.assert_close(z[0], 0.8 * x[0] + 0.6 * eps[0])
    torch.testing.assert_close(z[1], 0.6 * x[1] + 0.8 * eps[1])


def test_cosine_is_the_formula_of_nichol_and_dhariwal() -> None:
    t = np.linspace(0.001, 0.999, 500)
    angle = lambda t: (t + 0.008) / 1.008 * np.pi / 2  # noqa: E731
    alpha_bar = np.cos(angle(t)) ** 2 / np.cos(angle(0)) ** 2
    expected = torch.from_numpy(np.log(alpha_bar / (1 - alpha_bar)))
    torch.testing.assert_close(Cosine()(torch.from_numpy(t)), expected)


def test_linear_follows_the_discrete_product_of_a_thousand_betas() -> None:
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    alpha, _ = alpha_sigma(Linear()(torch.arange(1, 1001, dtype=torch.float64) / 1000))
    ratio = alpha.numpy() ** 2 / alpha_bar
    assert abs(ratio[:400] - 1).max() < 0.005
    assert abs(ratio - 1).max() < 0.1


def test_linear_begins_with_the_noise_of_one_first_step() -> None:
    _, sigma = alpha_sigma(Linear()(torch.tensor(0.0, dtype=torch.float64)))
    assert math.isclose(sigma**2, 1e-4, rel_tol=1e-4)


@pytest.mark.parametrize(
    ("t", "cosine_snr", "linear_snr"),
    [(0.1, 34.8, 8.64), (0.2, 8.87, 1.93), (0.3, 3.69, 0.66), (0.5, 0.98, 0.086)],
)
def test_reference_values(t: float, cosine_snr: float, linear_snr: float) -> None:
    t = torch.tensor(t, dtype=torch.float64)
    assert math.isclose(Cosine()(t).exp(), cosine_snr, rel_tol=5e-3)
    assert math.isclose(Linear()(t).exp(), linear_snr, rel_tol=1e-2)


def test_a_shifted_schedule_averaged_down_is_as_noisy_as_the_reference() -> None:
    """The reason for the shift, measured: average blocks of pixels and see what noise is left."""
    torch.manual_seed(0)
    t = torch.tensor([0.4], dtype=torch.float64)
    alpha, sigma = alpha_sigma(Shifted(Cosine(), resolution=512, reference=64)(t))
    noise = sigma * torch.randn(512, 512, dtype=torch.float64)
    left = torch.nn.functional.avg_pool2d(noise[None, None], 8).std()
    assert math.isclose(alpha**2 / left**2, Cosine()(t).exp(), rel_tol=0.05)
