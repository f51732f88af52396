"""Watching how far guidance leads changes no bit of where it leads."""

import torch
from torch import Tensor

from imagen_lit.diffusion.guidance import ClassifierFree, Interval
from imagen_lit.stage.guidance_norm import ObservedGuidance


def conditional(z: Tensor, t: Tensor) -> Tensor:
    return 2 * z


def pair(z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * z, z


def test_the_norm_is_the_root_mean_square_of_what_guidance_multiplies() -> None:
    z, t = torch.randn(2, 3, 4, 4), torch.full((2,), 0.5)
    seen: list[Tensor] = []
    guidance = ClassifierFree(3.0)
    guided = ObservedGuidance(guidance, seen.append).guide(conditional, pair)
    assert torch.equal(guided(z, t), guidance.guide(conditional, pair)(z, t))
    expected = [(each**2).mean().sqrt() for each in z]
    torch.testing.assert_close(seen, [torch.stack(expected)])


def test_where_nothing_is_guided_there_is_no_norm() -> None:
    z, t = torch.randn(2, 3, 4, 4), torch.full((2,), 0.95)
    seen: list[Tensor] = []
    for guidance in (ClassifierFree(1.0), Interval(3.0, 0.2, 0.9)):
        guided = ObservedGuidance(guidance, seen.append).guide(conditional, pair)
        assert torch.equal(guided(z, t), 2 * z)
    assert seen == []
