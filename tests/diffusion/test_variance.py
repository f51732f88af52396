"""A learned variance: its bound equals the discrete process's, written independently of it; it is
between the two of a step; and no gradient of it reaches the mean."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.loss import denoising_loss, hybrid_loss
from imagen_lit.diffusion.prediction import Epsilon, EpsilonWithVariance
from imagen_lit.diffusion.sampler import Ancestral, Step
from imagen_lit.diffusion.schedule import DiscreteCosine, diffuse
from imagen_lit.diffusion.weighting import plain

SCHEDULE, PREDICTION = DiscreteCosine(), EpsilonWithVariance()
STEPS = np.array([0, 1, 2, 300, 700, 998, 999])
T = torch.from_numpy((STEPS + 1) / 1000)
G = torch.Generator().manual_seed(0)
X = (torch.rand(len(STEPS), 3, 4, 4, generator=G, dtype=torch.float64) * 2 - 1).mul(127.5).round()
X = X / 127.5
EPS = torch.randn(X.shape, generator=G, dtype=torch.float64)
OUT = torch.randn(len(STEPS), 6, 4, 4, generator=G, dtype=torch.float64)


def alpha_bars() -> np.ndarray:
    """Of the discrete process, by its betas."""
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    return np.cumprod(1 - np.minimum(1 - f[1:] / f[:-1], 0.999))


def test_the_schedule_is_the_discrete_process_at_each_of_its_steps() -> None:
    bars = torch.from_numpy(alpha_bars())
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    torch.testing.assert_close(SCHEDULE(t), torch.log(bars / (1 - bars)), atol=1e-9, rtol=1e-9)
    numbers = SCHEDULE.timestep(SCHEDULE(t.float()))
    assert torch.equal(numbers, torch.arange(1000.0))


def test_the_bound_is_that_of_the_discrete_process() -> None:
    bars = alpha_bars()
    before = np.append(1.0, bars[:-1])
    betas = 1 - bars / before
    posterior = betas * (1 - before) / (1 - bars)
    low = np.log(np.append(posterior[1], posterior[1:]))
    expected = []
    z = diffuse(X, EPS, SCHEDULE(T))
    for i, n in enumerate(STEPS):
        x, out, noisy = X[i].numpy(), OUT[i].numpy(), z[i].numpy()
        estimate = (noisy - np.sqrt(1 - bars[n]) * out[:3]) / np.sqrt(bars[n])
        estimate = np.clip(estimate, -1, 1)
        share = (out[3:] + 1) / 2
        log_variance = share * np.log(betas[n]) + (1 - share) * low[n]
        by_clean = np.sqrt(before[n]) * betas[n] / (1 - bars[n])
        difference = by_clean * (x - estimate)
        if n == 0:
            std = np.exp(log_variance / 2)
            upper = np.where(x > 0.999, 1, norm.cdf((x - estimate + 1 / 255) / std))
            lower = np.where(x < -0.999, 0, norm.cdf((x - estimate - 1 / 255) / std))
            nats = -np.log(np.maximum(upper - lower, 1e-12))
        else:
            ratio = np.exp(np.log(posterior[n]) - log_variance)
            nats = 0.5 * (
                log_variance
                - np.log(posterior[n])
                + ratio
                - 1
                + difference**2 * np.exp(-log_variance)
            )
        expected.append(0.001 * 1000 * nats.mean() / math.log(2))
    bound = PREDICTION.variance_loss(OUT, X, z, T, SCHEDULE)
    torch.testing.assert_close(bound, torch.tensor(expected), rtol=1e-5, atol=0)  # sigma_0 is not 0
    float32 = (each.float() for each in (OUT, X, z, T))
    torch.testing.assert_close(
        PREDICTION.variance_loss(*float32, SCHEDULE), bound.float(), rtol=1e-2, atol=0
    )


def test_no_gradient_of_the_bound_reaches_the_mean() -> None:
    out = OUT.clone().requires_grad_()
    z = diffuse(X, EPS, SCHEDULE(T))
    PREDICTION.variance_loss(out, X, z, T, SCHEDULE).sum().backward()
    assert out.grad is not None
    assert not out.grad[:, :3].any()
    assert out.grad[:, 3:].flatten(1).any(1).all()


def test_the_hybrid_loss_has_the_simple_losss_gradient_of_the_mean() -> None:
    out = OUT.clone().requires_grad_()
    parts = (X, EPS, T, SCHEDULE)
    loss = hybrid_loss(lambda *_: out, *parts, PREDICTION, plain)
    simple = denoising_loss(lambda *_: out[:, :3], *parts, Epsilon(), plain)
    assert (loss > simple).all()
    (both,) = torch.autograd.grad(loss.sum(), out)
    (alone,) = torch.autograd.grad(simple.sum(), out)
    assert torch.equal(both[:, :3], alone[:, :3]) and both[:, 3:].any()


def test_the_best_variance_of_a_perfect_mean_is_the_posteriors() -> None:
    """At gamma 0 the bound is least, and zero: the posterior itself is what is drawn."""
    t = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)
    x, eps = X[:3], EPS[:3]
    z = diffuse(x, eps, SCHEDULE(t))
    bounds = []
    for gamma in (-0.2, 0.0, 0.2):
        out = torch.cat([eps, torch.full_like(eps, 2 * gamma - 1)], dim=1)
        bounds.append(PREDICTION.variance_loss(out, x, z, t, SCHEDULE))
    assert (bounds[1].abs() < 1e-7).all()
    assert (bounds[0] > bounds[1]).all() and (bounds[2] > bounds[1]).all()


class Estimate:
    """A still image, and a gamma for each of its values."""

    gamma = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)[None]

    def __call__(self, z: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(z)


def test_ancestral_with_a_learned_gamma_is_ancestral_with_each_values_own() -> None:
    z = torch.randn(1, 3, dtype=torch.float64)
    t, s = torch.tensor([0.6]).double(), torch.tensor([0.5]).double()
    step = Step(t, s, SCHEDULE(t), SCHEDULE(s))
    noise = lambda: torch.ones_like(z)  # noqa: E731
    drawn, _ = Ancestral(gamma=None).step(Estimate(), z, step, noise, None)
    for i, gamma in enumerate((0.0, 0.3, 1.0)):
        expected, _ = Ancestral(gamma).step(Estimate(), z, step, noise, None)
        torch.testing.assert_close(drawn[0, i], expected[0, i])


def test_a_gamma_that_no_network_has_learned_is_refused() -> None:
    step = Step(*(torch.tensor([each]) for each in (0.6, 0.5, 0.0, 1.0)))
    with pytest.raises(InputError, match=r"has learned none\. Set recipe\.sampler\.gamma=0"):
        Ancestral(gamma=None).step(lambda z, t: z, torch.zeros(1, 3), step, lambda: 0, None)
