"""Laws of every guidance."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.guidance import ClassifierFree, Interval
from imagen_lit.diffusion.sampler import DDIM, Heun, trajectory
from imagen_lit.diffusion.schedule import Cosine, alpha_sigma, per_image
from imagen_lit.diffusion.spacing import Time

Guidance = ClassifierFree | Interval

torch.manual_seed(0)
Z = torch.randn(3, 3, 4, 4, dtype=torch.float64)
T = torch.full((3,), 0.5, dtype=torch.float64)


def conditional(z: Tensor, t: Tensor) -> Tensor:
    return torch.tanh(z)


def pair(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return torch.tanh(z), torch.sin(z) * t.reshape(-1, 1, 1, 1)


def never(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    raise AssertionError("the reference was computed though nothing needed it")


def test_weight_one_changes_nothing_and_needs_no_reference(guidance: Guidance) -> None:
    denoise = replace(guidance, weight=1.0).guide(conditional, never)
    assert torch.equal(denoise(Z, T), conditional(Z, T))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.35, 8.0, 30.0])
def test_guidance_is_linear_in_its_weight(guidance: Guidance, weight: float) -> None:
    estimate, reference = pair(Z, T)
    guided = replace(guidance, weight=weight).guide(conditional, pair)(Z, T)
    torch.testing.assert_close(guided, weight * estimate + (1 - weight) * reference)


def test_guidance_is_affine_in_its_estimates(guidance: Guidance) -> None:
    """Moving and scaling both estimates moves and scales the guided one."""

    def changed(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        estimate, reference = pair(z, t)
        return 3 * estimate - 2, 3 * reference - 2

    guided = guidance.guide(conditional, pair)(Z, T)
    torch.testing.assert_close(guidance.guide(conditional, changed)(Z, T), 3 * guided - 2)


def test_guiding_clean_images_is_guiding_noise_as_imagen_does() -> None:
    """Imagen eq. 2, w eps(c) + (1 - w) eps(no c), converted by eps = (z - alpha x) / sigma."""
    alpha, sigma = (per_image(a, Z) for a in alpha_sigma(Cosine()(T)))
    eps_text, eps_reference = ((Z - alpha * x) / sigma for x in pair(Z, T))
    eps = 8 * eps_text + (1 - 8) * eps_reference
    guided = ClassifierFree(8).guide(conditional, pair)(Z, T)
    torch.testing.assert_close(guided, (Z - sigma * eps) / alpha)


@pytest.mark.parametrize("t", [0.0, 0.19, 0.91, 1.0])
def test_guidance_outside_its_interval_does_nothing_and_costs_nothing(t: float) -> None:
    denoise = Interval(5, start=0.2, stop=0.9).guide(conditional, never)
    assert torch.equal(denoise(Z, torch.full_like(T, t)), conditional(Z, T))


@pytest.mark.parametrize("solver", [DDIM(), Heun()])
def test_a_draw_calls_the_reference_only_at_the_times_inside(solver: DDIM | Heun) -> None:
    """And beyond the interval it is the draw without guidance."""
    calls: dict[str, list[float]] = {"alone": [], "both": []}

    def alone(z: Tensor, t: Tensor) -> Tensor:
        calls["alone"].append(t[0].item())
        return conditional(z, t)

    def both(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        calls["both"].append(t[0].item())
        return pair(z, t)

    def draw(guidance: Guidance) -> list[Tensor]:
        denoise = guidance.guide(alone, both)
        return list(trajectory(solver, denoise, Z, Cosine(), 16, lambda i: Z, Time()))

    guided = draw(Interval(5, start=0.3, stop=0.8))
    assert calls["both"] and all(0.3 <= t <= 0.8 for t in calls["both"])
    assert calls["alone"] and all(t < 0.3 or t > 0.8 for t in calls["alone"])
    assert len(calls["alone"]) + len(calls["both"]) == 15 * solver.order + 1
    plain = draw(ClassifierFree(1))
    same = [torch.equal(one, other) for one, other in zip(guided, plain, strict=True)]
    assert any(same) and not all(same) and same == sorted(same, reverse=True)


def test_each_image_of_a_batch_is_guided_by_its_own_time() -> None:
    t = torch.tensor([0.1, 0.5, 0.95], dtype=torch.float64)
    guided = Interval(5, start=0.2, stop=0.9).guide(conditional, pair)(Z, t)
    everywhere = ClassifierFree(5).guide(conditional, pair)(Z, t)
    assert torch.equal(guided[[0, 2]], conditional(Z, t)[[0, 2]])
    assert torch.equal(guided[1], everywhere[1])


@pytest.mark.parametrize(("start", "stop"), [(0.9, 0.2), (-0.1, 0.5), (0.5, 1.5), (0.5, 0.5)])
def test_an_invalid_interval_says_what_to_set(start: float, stop: float) -> None:
    message = rf"start={start} and stop={stop} are not .* Set start=0\.2 stop=0\.9"
    with pytest.raises(InputError, match=message):
        Interval(5, start, stop)
