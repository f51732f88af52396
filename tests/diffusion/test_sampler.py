"""The oracle: for Gaussian images the ideal denoiser has a formula, so a sampler is right or wrong.

If x ~ N(m, C), then E[x | z] = m + alpha C (alpha^2 C + sigma^2 I)^-1 (z - alpha m), and every step
of every sampler is an affine map of z and of the noise it draws. Pushing the origin and a basis of
all those inputs through the sampler therefore gives the mean and the covariance of its output to
machine precision, with no sampling error at all.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.sampler import (
    DDIM,
    Ancestral,
    DPMSolver,
    Heun,
    Sampler,
    Step,
    trajectory,
)
from imagen_lit.diffusion.schedule import Cosine, Schedule, alpha_sigma
from imagen_lit.diffusion.spacing import Spacing, Time
from imagen_lit.diffusion.threshold import static

F64 = {"dtype": torch.float64}
MEAN = torch.tensor([0.5, -0.3], **F64)
COVARIANCE = torch.tensor([[0.40, 0.12], [0.12, 0.09]], **F64)
EYE = torch.eye(2, **F64)
DETERMINISTIC = [DDIM(), Heun(), DPMSolver()]
TIME = Time()
EXACT_FOR_A_STILL_IMAGE = DETERMINISTIC  # however long the step


def ideal(schedule: Schedule) -> Callable[[Tensor, Tensor], Tensor]:
    """The perfect denoiser. A whole batch is at one time here, so one small matrix suffices."""

    def denoise(z: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = alpha_sigma(schedule(t[0]))
        gain = alpha * COVARIANCE @ torch.linalg.inv(alpha**2 * COVARIANCE + sigma**2 * EYE)
        return MEAN + (z - alpha * MEAN) @ gain.T

    return denoise


def marginal(schedule: Schedule, t: float) -> tuple[Tensor, Tensor]:
    """The true mean and covariance of z at time t."""
    alpha, sigma = alpha_sigma(schedule(torch.tensor(t, **F64)))
    return alpha * MEAN, alpha**2 * COVARIANCE + sigma**2 * EYE


def basis(steps: int) -> tuple[Tensor, Callable[[int], Tensor]]:
    """A batch of inputs: the origin, a basis of the first z, a basis of the noise of each step."""
    inputs = torch.eye(2 * (steps + 1), **F64)
    inputs = torch.cat([torch.zeros(1, len(inputs), **F64), inputs]).unflatten(1, (-1, 2))
    return inputs[:, 0], lambda i: inputs[:, i + 1]


def law(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the affine map with these values at the origin and at the basis."""
    columns = outputs[1:] - outputs[0]
    return outputs[0], columns.T @ columns


def distance(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    return sum((a - b).square().sum() for a, b in zip(one, other, strict=True)).sqrt().item()


def law_of_image(
    sampler: Sampler, schedule: Schedule, steps: int, spacing: Spacing
) -> tuple[Tensor, Tensor]:
    z, noise = basis(steps)
    *_, x = trajectory(sampler, ideal(schedule), z, schedule, steps, noise, spacing)
    return law(x)


def error_of_image(
    sampler: Sampler, schedule: Schedule, steps: int, spacing: Spacing = TIME
) -> float:
    return distance(law_of_image(sampler, schedule, steps, spacing), (MEAN, COVARIANCE))


def draws_noise(sampler: Sampler) -> bool:
    """Whether a sampler's step asks for any."""
    asked: list[int] = []
    z, _ = basis(2)
    noise = lambda i: (asked.append(i), z)[1]  # noqa: E731
    list(trajectory(sampler, ideal(Cosine()), z, Cosine(), 2, noise, TIME))
    return bool(asked)


def flow_of_noise(schedule: Schedule) -> tuple[Tensor, Tensor]:
    """Where the exact flow takes standard noise at t=1: not quite to the truth, because a little of
    the image is in the true z there."""
    logsnr = schedule(torch.tensor(1.0, **F64))
    alpha, _ = alpha_sigma(logsnr)
    values, vectors = torch.linalg.eigh(COVARIANCE)
    root = vectors @ torch.diag((values / (values + torch.exp(-logsnr))).sqrt()) @ vectors.T
    return MEAN - root @ MEAN, root @ root.T / alpha**2


def walk(
    sampler: Sampler, schedule: Schedule, z: Tensor, times: Tensor, noise: Callable[[int], Tensor]
) -> Tensor:
    """Only the steps of a sampler: the loop without its last step."""
    memory = None
    for i, (t, s) in enumerate(pairwise(times[:, None].expand(-1, len(z)))):
        step = Step(t, s, schedule(t), schedule(s))
        z, memory = sampler.step(ideal(schedule), z, step, partial(noise, i), memory)
    return z


def error_of_steps(sampler: Sampler, schedule: Schedule, steps: int) -> float:
    """From the exact law at t=0.9 to t=0.1, away from both ends."""
    mean, covariance = marginal(schedule, 0.9)
    z, noise = basis(steps)
    z = mean + z @ torch.linalg.cholesky(covariance).T
    z = walk(sampler, schedule, z, torch.linspace(0.9, 0.1, steps + 1, **F64), noise)
    return distance(law(z), marginal(schedule, 0.1))


def test_the_error_falls_with_the_order_that_the_sampler_claims(
    sampler: Sampler, schedule: Schedule
) -> None:
    coarse, fine = (error_of_steps(sampler, schedule, steps) for steps in (128, 256))
    order = torch.log2(torch.tensor(coarse / fine)).item()
    assert abs(order - sampler.order) < 0.2


def test_every_sampler_reaches_the_true_mean_and_covariance(
    sampler: Sampler, schedule: Schedule
) -> None:
    errors = [error_of_image(sampler, schedule, steps) for steps in (8, 32, 128, 256)]
    assert all(fine < coarse for coarse, fine in pairwise(errors))
    assert errors[-1] < 0.05


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_ancestral_reaches_the_truth_with_any_variance(gamma: float) -> None:
    errors = [error_of_image(Ancestral(gamma), Cosine(), steps) for steps in (64, 128, 256)]
    assert all(1.8 < coarse / fine < 2.2 for coarse, fine in pairwise(errors))
    assert errors[-1] < 0.02


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_ancestral_variances_are_exact_for_the_data_they_belong_to(gamma: float) -> None:
    """Ho et al. 2020, § 3.2: the small variance is right for a single image, the large one for
    standard normal images. Then even a few steps leave no error."""
    schedule = Cosine()
    alpha = lambda t: alpha_sigma(schedule(t))[0][:, None]  # noqa: E731
    denoise = {0.0: lambda z, t: MEAN.expand_as(z), 1.0: lambda z, t: alpha(t) * z}[gamma]
    covariance = {0.0: 0 * EYE, 1.0: EYE}[gamma]
    mean = {0.0: MEAN, 1.0: 0 * MEAN}[gamma]
    z, noise = basis(5)
    zs = list(trajectory(Ancestral(gamma), denoise, z, schedule, 5, noise, TIME))
    times = TIME(schedule, 5)
    for z, t in zip(zs[:-1], times[1:-1], strict=True):
        a, s = alpha_sigma(schedule(t))
        # At t=1 the true z is alpha x + sigma eps with alpha 4.5e-5, ours is eps.
        assert distance(law(z), (a * mean, a**2 * covariance + s**2 * EYE)) < 1e-4


@pytest.mark.parametrize("solver", DETERMINISTIC)
def test_deterministic_samplers_follow_the_true_flow_of_every_z(solver: Sampler) -> None:
    """Stronger than the law of the output: z_s = alpha_s m + S_s^1/2 S_t^-1/2 (z_t - alpha_t m),
    where S is the covariance of z at the time."""

    def root(matrix: Tensor, power: float) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ torch.diag(values**power) @ vectors.T

    schedule = Cosine()
    (mean_t, s_t), (mean_s, s_s) = marginal(schedule, 0.9), marginal(schedule, 0.1)
    start = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), **F64)
    exact = mean_s + (start - mean_t) @ root(s_t, -0.5) @ root(s_s, 0.5)
    end = walk(solver, schedule, start, torch.linspace(0.9, 0.1, 1025, **F64), lambda i: start)
    torch.testing.assert_close(end, exact, atol={1: 5e-3, 2: 1e-5}[solver.order], rtol=0)


def test_one_image_in_the_world_is_reached_from_any_noise(
    sampler: Sampler, schedule: Schedule
) -> None:
    """Even three float32 steps end there."""
    image = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4)
    z = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    noise = lambda i: torch.ones_like(z)  # noqa: E731
    zs = list(trajectory(sampler, lambda z, t: image.expand_as(z), z, schedule, 3, noise, TIME))
    assert len(zs) == 3 and all(z.dtype == torch.float32 for z in zs)
    assert all(torch.isfinite(z).all() for z in zs)
    assert torch.equal(zs[-1], image.expand_as(z))


@pytest.mark.parametrize("solver", EXACT_FOR_A_STILL_IMAGE)
def test_if_the_image_stays_the_noise_stays_too(solver: Sampler, schedule: Schedule) -> None:
    """Then alpha x + sigma eps must become alpha' x + sigma' eps, however long the step."""
    x, eps = torch.randn(2, 1, 2, generator=torch.Generator().manual_seed(0), **F64)
    t, s = torch.tensor([[0.95], [0.15]], **F64)
    step = Step(t, s, schedule(t), schedule(s))
    (alpha, sigma), (alpha_, sigma_) = alpha_sigma(step.logsnr_t), alpha_sigma(step.logsnr_s)
    start = alpha * x + sigma * eps
    end, _ = solver.step(lambda z, t: x, start, step, lambda: eps, None)
    torch.testing.assert_close(end, alpha_ * x + sigma_ * eps)


def test_nothing_overflows_in_float32_however_bad_the_network(
    sampler: Sampler, schedule: Schedule
) -> None:
    """With an untrained network, thresholded to [-1, 1], z stays within a few units."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(4, 3, 8, 8, generator=generator)
    noise = lambda i: torch.randn(z.shape, generator=generator)  # noqa: E731
    denoise = lambda z, t: static(50 * torch.sin(100 * z))  # noqa: E731
    for steps in (1, 2, 10, 100):
        for z_s in trajectory(sampler, denoise, z, schedule, steps, noise, TIME):
            assert torch.isfinite(z_s).all() and z_s.abs().max() < 20
        assert z_s.abs().max() <= 1


def test_an_image_does_not_depend_on_its_batch(sampler: Sampler) -> None:
    schedule = Cosine()
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), **F64)
    noise = torch.randn(8, 3, 2, generator=torch.Generator().manual_seed(1), **F64)
    *_, all_three = trajectory(sampler, ideal(schedule), z, schedule, 8, lambda i: noise[i], TIME)
    *_, alone = trajectory(
        sampler, ideal(schedule), z[1:2], schedule, 8, lambda i: noise[i, 1:2], TIME
    )
    torch.testing.assert_close(all_three[1:2], alone)


def test_a_sampler_keeps_its_order_on_every_spacing_or_that_of_the_spacing(
    sampler: Sampler, schedule: Schedule, spacing: Spacing
) -> None:
    """Down to where what is left is the noise of the schedule's cleanest image. The error of a
    sampler that draws noise is measured from the truth, which it forgets its beginning for."""
    stated = min(sampler.order, spacing.highest_order)
    if not stated:
        return  # so many times and no more: nothing converges
    target = (MEAN, COVARIANCE) if draws_noise(sampler) else flow_of_noise(schedule)
    coarse, fine = (
        distance(law_of_image(sampler, schedule, steps, spacing), target)
        for steps in ((32, 64) if stated == 2 else (128, 256))
    )
    assert torch.log2(torch.tensor(coarse / fine)).item() > stated - 0.25


def test_noise_is_drawn_by_step_number_and_never_at_the_last_step() -> None:
    numbers = []
    z = torch.zeros(1, 2, **F64)

    def noise(i: int) -> Tensor:
        numbers.append(i)
        return z

    list(trajectory(Ancestral(), ideal(Cosine()), z, Cosine(), 5, noise, TIME))
    assert numbers == [0, 1, 2, 3]


def test_no_steps_is_an_error_that_says_what_to_set() -> None:
    z = torch.zeros(1, 2)
    with pytest.raises(InputError, match=r"steps=0 is less than one step\. Set steps=32"):
        next(trajectory(DDIM(), ideal(Cosine()), z, Cosine(), 0, lambda i: z, TIME))


@pytest.mark.parametrize("gamma", [-5, 1.5])
def test_a_gamma_outside_of_0_to_1_is_an_error_that_says_what_to_set(gamma: float) -> None:
    with pytest.raises(InputError, match=rf"gamma={gamma} is not between 0 and 1.*Set gamma=0\.3"):
        Ancestral(gamma)
