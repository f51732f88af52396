"""Laws of every guidance."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.guidance import (
    AdaptiveProjected,
    ClassifierFree,
    Guidance,
    Interval,
    Oscillating,
    Rescaled,
)
from imagen_lit.diffusion.sampler import DDIM, DPMSolver, Heun, trajectory
from imagen_lit.diffusion.schedule import Cosine, alpha_sigma, per_image
from imagen_lit.diffusion.spacing import Time

torch.manual_seed(0)
Z = torch.randn(3, 3, 4, 4, dtype=torch.float64)
T = torch.full((3,), 0.5, dtype=torch.float64)
LINEAR = [ClassifierFree(5), Interval(5, 0.2, 0.9), Oscillating(5, hold=0.2)]
WITH_TIMES = [Oscillating(5), Rescaled(5), AdaptiveProjected(5, largest=0.1)]
SOLVERS = [DDIM(), Heun(), DPMSolver()]


def conditional(z: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(z)


def pair(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tanh(z), torch.sin(z) * t.reshape(-1, 1, 1, 1)


def never(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    raise AssertionError("the reference was computed though nothing needed it")


class Asked:
    """The times at which each of the two is asked for."""

    def __init__(self) -> None:
        self.alone, self.both = list[float](), list[float]()

    def conditional(self, z: Tensor, t: Tensor) -> Tensor:
        self.alone.append(t[0].item())
        return conditional(z, t)

    def pair(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        self.both.append(t[0].item())
        return pair(z, t)

    def draw(self, guidance: Guidance, solver: Any = SOLVERS[0], steps: int = 16) -> list[Tensor]:
        denoise = guidance.guide(self.conditional, self.pair)
        return list(trajectory(solver, denoise, Z, Cosine(), steps, lambda i: Z, Time()))


def test_weight_one_changes_nothing_and_needs_no_reference(guidance: Any) -> None:
    denoise = replace(guidance, weight=1.0).guide(conditional, never)
    assert torch.equal(denoise(Z, T), conditional(Z, T))


def test_an_image_is_guided_as_it_is_alone(guidance: Any) -> None:
    """Whatever else is in its batch, at every step."""
    denoise = guidance.guide(conditional, pair)
    alone = [guidance.guide(conditional, pair) for _ in range(len(Z))]
    for t in (0.9, 0.6, 0.4, 0.3):
        z, time = Z + t, torch.full_like(T, t)
        rows = [each(z[[i]], time[[i]]) for i, each in enumerate(alone)]
        torch.testing.assert_close(denoise(z, time), torch.cat(rows))


def test_every_drawing_begins_without_a_memory(guidance: Any) -> None:
    one, other = (Asked().draw(guidance) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_equal_estimates_are_left_as_they_are(guidance: Any) -> None:
    """Nothing to lead away from; also not where an estimate is all zeros, or all one grey."""
    for x in (torch.tanh(Z), torch.zeros_like(Z), torch.full_like(Z, 0.3)):
        guided = guidance.guide(lambda z, t, x=x: x, lambda z, t, x=x: (x, x))(Z, T)
        torch.testing.assert_close(guided, x)


def test_guidance_in_float32_is_finite_where_estimates_are_huge(guidance: Any) -> None:
    z = torch.full((2, 3, 4, 4), 1e12)
    z[1] = 0
    guided = guidance.guide(lambda z, t: z, lambda z, t: (z, -z))(z, torch.full((2,), 0.5))
    assert guided.isfinite().all()


@pytest.mark.parametrize("law", LINEAR, ids=lambda law: type(law).__name__)
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.35, 8.0, 30.0])
def test_guidance_is_linear_in_its_weight(law: Any, weight: float) -> None:
    estimate, reference = pair(Z, T)
    guided = replace(law, weight=weight).guide(conditional, pair)(Z, T)
    torch.testing.assert_close(guided, weight * estimate + (1 - weight) * reference)


@pytest.mark.parametrize("law", LINEAR, ids=lambda law: type(law).__name__)
def test_guidance_is_affine_in_its_estimates(law: Any) -> None:
    """Moving and scaling both estimates moves and scales the guided one."""

    def changed(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        estimate, reference = pair(z, t)
        return 3 * estimate - 2, 3 * reference - 2

    guided = law.guide(conditional, pair)(Z, T)
    torch.testing.assert_close(law.guide(conditional, changed)(Z, T), 3 * guided - 2)


def test_guiding_clean_images_is_guiding_noise_as_imagen_does() -> None:
    """Imagen eq. 2, w eps(c) + (1 - w) eps(no c), converted by eps = (z - alpha x) / sigma."""
    alpha, sigma = (per_image(a, Z) for a in alpha_sigma(Cosine()(T)))
    eps_text, eps_reference = ((Z - alpha * x) / sigma for x in pair(Z, T))
    eps = 8 * eps_text + (1 - 8) * eps_reference
    guided = ClassifierFree(8).guide(conditional, pair)(Z, T)
    torch.testing.assert_close(guided, (Z - sigma * eps) / alpha)


@pytest.mark.parametrize("weight", [1.35, 3.0, 8.0])
def test_guidance_draws_the_gaussian_of_its_equation(weight: float) -> None:
    """With text N(m, v), without N(0, v): the score of p(z|c)^w p(z)^(1-w) is that of N(w m, v) at
    every noise level, because both have one variance; and DPM-Solver finds its mean and spread."""
    mean, variance = 0.4, 0.09
    z = torch.randn(20_000, 1, 1, 1, dtype=torch.float64)

    def clean(z: Tensor, t: Tensor, mean: float) -> Tensor:
        alpha, sigma = (per_image(a, z) for a in alpha_sigma(Cosine()(t)))
        gain = variance * alpha / (variance * alpha**2 + sigma**2)
        return mean + gain * (z - alpha * mean)

    denoise = ClassifierFree(weight).guide(
        lambda z, t: clean(z, t, mean), lambda z, t: (clean(z, t, mean), clean(z, t, 0.0))
    )
    *_, x = trajectory(DPMSolver(), denoise, z, Cosine(), 128, lambda i: z, Time())
    assert x.mean().item() == pytest.approx(weight * mean, abs=0.01)
    assert x.std().item() == pytest.approx(variance**0.5, rel=0.02)


# The interval -----------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.19, 0.91, 1.0])
@pytest.mark.parametrize("law", [Interval(5, 0.2, 0.9), *WITH_TIMES], ids=lambda x: str(x)[:9])
def test_guidance_outside_its_interval_does_nothing_and_costs_nothing(law: Any, t: float) -> None:
    denoise = replace(law, start=0.2, stop=0.9).guide(conditional, never)
    assert torch.equal(denoise(Z, torch.full_like(T, t)), conditional(Z, torch.full_like(T, t)))


@pytest.mark.parametrize("law", WITH_TIMES, ids=lambda law: type(law).__name__)
def test_inside_its_interval_each_law_is_itself(law: Any) -> None:
    whole, part = (each.guide(conditional, pair) for each in (law, replace(law, start=0.2)))
    for t in (0.9, 0.7, 0.4, 0.3):
        assert torch.equal(whole(Z, torch.full_like(T, t)), part(Z, torch.full_like(T, t)))


@pytest.mark.parametrize("solver", [DDIM(), Heun()])
def test_a_draw_calls_the_reference_only_at_the_times_inside(solver: DDIM | Heun) -> None:
    """And beyond the interval it is the draw without guidance."""
    asked = Asked()
    guided = asked.draw(Interval(5, start=0.3, stop=0.8), solver)
    assert asked.both and all(0.3 <= t <= 0.8 for t in asked.both)
    assert asked.alone and all(t < 0.3 or t > 0.8 for t in asked.alone)
    assert len(asked.alone) + len(asked.both) == 15 * solver.order + 1
    plain = Asked().draw(ClassifierFree(1), solver)
    same = [torch.equal(one, other) for one, other in zip(guided, plain, strict=True)]
    assert any(same) and not all(same) and same == sorted(same, reverse=True)


@pytest.mark.parametrize("law", [Interval(5, 0, 1), *WITH_TIMES], ids=lambda x: str(x)[:9])
def test_each_image_of_a_batch_is_guided_by_its_own_time(law: Any) -> None:
    t = torch.tensor([0.1, 0.5, 0.95], dtype=torch.float64)
    guided = replace(law, start=0.2, stop=0.9).guide(conditional, pair)(Z, t)
    everywhere = law.guide(conditional, pair)(Z, t)
    assert torch.equal(guided[[0, 2]], conditional(Z, t)[[0, 2]])
    assert torch.equal(guided[1], everywhere[1])


@pytest.mark.parametrize(("start", "stop"), [(0.9, 0.2), (-0.1, 0.5), (0.5, 1.5), (0.5, 0.5)])
@pytest.mark.parametrize("law", [Interval, Oscillating, Rescaled, AdaptiveProjected])
def test_an_invalid_interval_says_what_to_set(law: Any, start: float, stop: float) -> None:
    message = rf"start={start} and stop={stop} are not .* Set start=0\.2 stop=0\.9"
    with pytest.raises(InputError, match=message):
        law(5, start=start, stop=stop)


# Oscillating ------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_a_high_weight_holds_and_then_takes_turns_with_the_low_one(solver: Any) -> None:
    asked = Asked()
    asked.draw(Oscillating(15, low=1, hold=0.75), solver)
    times = [1 - step / 16 for step in range(16)]
    high = [t for t in times if t >= 0.75] + [t for t in times if t < 0.75][1::2]
    assert {*asked.both} == {*high} and {*asked.alone} == {*times} - {*high}


def test_the_two_weights_are_those_that_are_set() -> None:
    denoise = Oscillating(15, low=3, hold=0.6).guide(conditional, pair)
    for t, weight in ((0.9, 15), (0.6, 15), (0.5, 3), (0.5, 3), (0.4, 15), (0.3, 3), (0.2, 15)):
        time = torch.full_like(T, t)
        plain = ClassifierFree(weight).guide(conditional, pair)(Z, time)
        assert torch.equal(denoise(Z, time), plain), t


# Rescaled ---------------------------------------------------------------------------------------


def test_a_rescaled_estimate_has_the_conditionals_standard_deviation() -> None:
    guided = Rescaled(8, phi=1).guide(conditional, pair)(Z, T)
    plain = ClassifierFree(8).guide(conditional, pair)(Z, T)
    stds = [x.flatten(1).std(1) for x in (guided, conditional(Z, T), plain)]
    torch.testing.assert_close(stds[0], stds[1])
    assert (stds[2] > 1.2 * stds[1]).all(), "which guidance had raised"


def test_rescaling_mixes_by_phi_and_a_phi_of_zero_is_classifier_free() -> None:
    plain = ClassifierFree(8).guide(conditional, pair)(Z, T)
    none, some, whole = (Rescaled(8, p).guide(conditional, pair)(Z, T) for p in (0, 0.7, 1))
    assert torch.equal(none, plain)
    torch.testing.assert_close(some, 0.7 * whole + 0.3 * plain)


# Adaptive projected -----------------------------------------------------------------------------


def test_projected_guidance_that_keeps_all_is_classifier_free() -> None:
    law = AdaptiveProjected(8, eta=1, momentum=0, largest=None)
    one, other = (Asked().draw(each) for each in (law, ClassifierFree(8)))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_what_projected_guidance_adds_is_orthogonal_to_the_estimate() -> None:
    x = conditional(Z, T)
    plain = ClassifierFree(8).guide(conditional, pair)(Z, T) - x
    added = AdaptiveProjected(8, eta=0, momentum=0).guide(conditional, pair)(Z, T) - x
    assert (added * x).flatten(1).sum(1).abs().max() < 1e-9 < (plain * x).flatten(1).sum(1).min()
    left_out = (plain - added).flatten(1), x.flatten(1)
    cosines = torch.nn.functional.cosine_similarity(*left_out).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines))
    half = AdaptiveProjected(8, eta=0.5, momentum=0).guide(conditional, pair)(Z, T) - x
    torch.testing.assert_close(half, (plain + added) / 2)


def test_a_long_update_is_shortened_and_a_short_one_is_not() -> None:
    def rms(x: Tensor) -> Tensor:
        return x.flatten(1).square().mean(1).sqrt()

    x, reference = pair(Z, T)
    whole = rms(x - reference)
    for largest in (0.1, whole.mean().item(), 9.0):
        law = AdaptiveProjected(2, eta=1, momentum=0, largest=largest)
        torch.testing.assert_close(
            rms(law.guide(conditional, pair)(Z, T) - x), whole.clamp(max=largest)
        )


def test_momentum_adds_a_share_of_all_updates_before() -> None:
    denoise = AdaptiveProjected(2, eta=1, momentum=-0.5).guide(conditional, pair)
    total = torch.zeros_like(Z)
    for t in (0.9, 0.6, 0.3):
        time = torch.full_like(T, t)
        estimate, reference = pair(Z, time)
        total = (estimate - reference) - 0.5 * total
        torch.testing.assert_close(denoise(Z, time), estimate + total)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("momentum", 1.0, r"guidance\.momentum=1\.0 is not between.*Set guidance\.momentum=-0\.5"),
        ("largest", 0.0, r"guidance\.largest=0\.0 is not above 0.*Set guidance\.largest=0\.06"),
    ],
)
def test_an_update_that_would_grow_or_vanish_is_refused(key: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdaptiveProjected(5, **{key: value})
