"""The oracle again: what is drawn beside a given part of a Gaussian image has a known law, and each
step of the loop, jumps too, is an affine map of the noise (tests/diffusion/test_sampler.py)."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.constraint import Grey, Pixels, SmallImage, grey
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.diffusion.sampler import Sampler, trajectory
from imagen_lit.diffusion.schedule import Cosine, alpha_sigma
from imagen_lit.diffusion.spacing import Spacing, Time
from imagen_lit.stage.edit import Edit

MEAN = torch.tensor([0.5, -0.3], dtype=torch.float64)
COVARIANCE = torch.tensor([[0.40, 0.12], [0.12, 0.09]], dtype=torch.float64)
KNOWN = 0.9  # the first number of the image
PICTURE = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8).sin()
ESTIMATE = torch.linspace(-7, 5, 2 * 3 * 8 * 8).view(2, 3, 8, 8).cos()
HOLE = (torch.arange(8) > 4).expand(2, 1, 8, 8)


def ideal(z: Tensor, t: Tensor) -> Tensor:
    alpha, sigma = alpha_sigma(Cosine()(t[0]))
    noisy = alpha**2 * COVARIANCE + sigma**2 * torch.eye(2, dtype=torch.float64)
    return MEAN + (z - alpha * MEAN) @ (alpha * COVARIANCE @ torch.linalg.inv(noisy)).T


def law(
    sampler: Sampler, steps: int, jumps: Jumps, denoise: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Mean and covariance of what the loop draws, from the origin and a basis of all its noise."""
    legs = len([*jumps.legs(0, steps - 1)])
    inputs = torch.eye(2 * (legs + 1), dtype=torch.float64)
    inputs = torch.cat([torch.zeros(1, len(inputs), dtype=torch.float64), inputs])
    inputs = inputs.unflatten(1, (-1, 2))
    noise = (inputs[:, 0], lambda i: inputs[:, i + 1])
    way = trajectory(
        sampler, denoise, noise[0], Cosine(), steps, noise[1], Time(), first=0, legs=jumps.legs
    )
    *_, x = way
    columns = x[1:] - x[0]
    return x[0], columns.T @ columns


def inpainted(sampler: Sampler, jumps: Jumps) -> tuple[float, float]:
    """Mean and variance of the second number beside the first."""

    def denoise(z: Tensor, t: Tensor) -> Tensor:
        x = ideal(z, t)
        return torch.stack([torch.full_like(x[:, 0], KNOWN), x[:, 1]], 1)

    mean, covariance = law(sampler, 32, jumps, denoise)
    assert mean[0] == KNOWN
    assert covariance[0].abs().max() == 0  # given, so it does not vary
    return mean[1].item(), covariance[1, 1].item()


def test_jumps_bring_what_is_drawn_to_its_law_beside_what_is_given(sampler: Sampler) -> None:
    gain = COVARIANCE[0, 1] / COVARIANCE[0, 0]
    mean = (MEAN[1] + gain * (KNOWN - MEAN[0])).item()
    variance = (COVARIANCE[1, 1] - gain * COVARIANCE[0, 1]).item()
    errors = []
    for times in (1, 3, 9):
        own_mean, own_variance = inpainted(sampler, Jumps(4, times))
        errors.append(abs(own_mean - mean) + abs(own_variance - variance))
    assert errors[0] > 1.3 * errors[1]
    assert errors[1] > errors[2]
    assert errors[2] < 0.025  # what is left is the sampler's own error, largest with noise


def test_jumps_leave_the_law_of_a_free_image_as_it_is(sampler: Sampler) -> None:
    errors = []
    for jumps in (Jumps(), Jumps(5, 3)):
        mean, covariance = law(sampler, 32, jumps, ideal)
        torch.testing.assert_close(mean, MEAN, rtol=0, atol=1e-4)
        errors.append((covariance - COVARIANCE).norm().item())
    assert errors[1] < 1.5 * errors[0] + 0.01  # the sampler's own error, in as many steps


@given(st.integers(0, 9), st.integers(0, 20), st.integers(1, 7), st.integers(1, 4))
def test_the_way_is_one_and_walks_every_step_as_often(
    first: int, more: int, length: int, times: int
) -> None:
    jumps, last = Jumps(length, times), first + more
    position, walked = first, []
    for i, j in jumps.legs(first, last):
        assert i == position
        assert j == i + 1 or j < i
        position = j
        walked += [i] if j > i else []
    assert position == last
    assert sorted(walked) == sorted([*range(first, last)] * times)
    assert len(walked) == jumps.steps(first, last)


def measured(constraint: Grey | Pixels | SmallImage, x: Tensor) -> Tensor:
    if isinstance(constraint, Grey):
        return grey(x)
    if isinstance(constraint, SmallImage):
        return torch.nn.functional.avg_pool2d(x, 4)
    return x.masked_select(constraint.mask)


@pytest.mark.parametrize(
    "constraint",
    [
        Pixels(PICTURE, HOLE),
        Grey(grey(PICTURE)),
        SmallImage(torch.nn.functional.avg_pool2d(PICTURE, 4)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_constrained_estimate_has_the_measurement_and_keeps_the_rest(
    constraint: Grey | Pixels | SmallImage,
) -> None:
    x = constraint(ESTIMATE)
    close = {"rtol": 0, "atol": 1e-6}
    torch.testing.assert_close(measured(constraint, x), measured(constraint, PICTURE), **close)
    torch.testing.assert_close(constraint(x), x, **close)
    torch.testing.assert_close(constraint(PICTURE), PICTURE, **close)
    null_part = x - ESTIMATE  # what moved is seen by the measurement: it comes back from nothing
    torch.testing.assert_close(constraint(x - 2 * null_part), x, **close)


def test_given_pixels_are_given_to_the_last_bit() -> None:
    x = Pixels(PICTURE, HOLE)(ESTIMATE)
    hole = HOLE.expand_as(x)
    assert torch.equal(x[hole], PICTURE[hole])
    assert torch.equal(x[~hole], ESTIMATE[~hole])


def test_a_start_skips_the_times_above_its_strength(spacing: Spacing) -> None:
    for strength in (0.01, 0.3, 0.7, 1.0):
        first = Edit(PICTURE, strength).first(Cosine(), 16, spacing)
        times = spacing(Cosine(), 16)
        assert first == 15 or times[first] <= strength
        assert first == 0 or times[first - 1] > strength
        assert Edit(PICTURE, strength).evaluations(Cosine(), 16, spacing) == 16 - first
    assert Edit(strength=0.3).first(Cosine(), 16, spacing) == 0


def test_a_start_has_the_law_of_the_forward_process() -> None:
    eps = torch.randn(PICTURE.shape, generator=torch.Generator().manual_seed(0))
    z = Edit(PICTURE, 0.5).noisy(eps, Cosine(), 0.5)
    share = torch.sigmoid(Cosine()(torch.tensor(0.5)))  # alpha^2; sigma^2 is the rest
    torch.testing.assert_close(z, share.sqrt() * PICTURE + (1 - share).sqrt() * eps)
    assert torch.equal(Edit(PICTURE, 1.0).noisy(eps, Cosine(), 1.0), eps)


@pytest.mark.parametrize("strength", [0, -0.1, 1.1, float("nan")])
def test_a_strength_that_is_none_is_refused(strength: float) -> None:
    with pytest.raises(InputError, match="strength"):
        Edit(PICTURE, strength)
