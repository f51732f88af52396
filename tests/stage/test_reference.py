"""What guidance leads away from: another text, another network, another schedule."""

import torch
from torch import Tensor, nn

from imagen_lit.diffusion import guidance, prediction, sampler, schedule, threshold
from imagen_lit.network.unet import UNet
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.reference import Reference

T = torch.tensor([0.9, 0.4])
Z = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(5))


def denoiser(seed: int = 0, clock: schedule.Schedule | None = None) -> Denoiser:
    torch.manual_seed(seed)
    network = UNet(16, [16, 32], [1, 1], [False, True], 16, 32)
    for weight in network.parameters():  # zero layers would not read the text
        if not weight.any():
            nn.init.normal_(weight, std=0.2)
    return Denoiser(network, clock or schedule.Cosine(), prediction.Velocity()).eval()


def condition(tokens: int, seed: int) -> Condition:
    text = torch.randn(2, tokens, 16, generator=torch.Generator().manual_seed(seed))
    return Condition(text, torch.ones(2, tokens, dtype=torch.bool))


MODEL, TEXT = denoiser(), condition(5, 1)


def draw(weight: float, reference: Reference | None) -> Tensor:
    recipe = Recipe(sampler.DDIM(), guidance.ClassifierFree(weight), threshold.static, 3)
    return recipe.draw(MODEL, TEXT, [3, 4], 8, reference=reference)


@torch.no_grad()
def test_a_pair_is_what_each_network_says_of_its_own_text() -> None:
    other, longer = denoiser(1), condition(7, 2)
    for reading in (longer, condition(3, 2), TEXT.without_text()):
        for network in (MODEL, other):
            pair = Reference(network, reading).pair(MODEL, TEXT)(Z, T)
            alone = MODEL(Z, T, TEXT), network(Z, T, reading)
            torch.testing.assert_close(pair, alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_guide_is_asked_at_the_noise_of_the_network_that_draws() -> None:
    linear = denoiser(1, schedule.Linear())
    asked: list[Tensor] = []
    linear.network.register_forward_hook(lambda module, inputs, out: asked.append(inputs[1]))
    _, estimate = Reference(linear, TEXT).pair(MODEL, TEXT)(Z, T)
    torch.testing.assert_close(asked[0], schedule.Cosine()(T), atol=1e-3, rtol=1e-3)
    assert estimate.isfinite().all()


def test_guidance_by_the_network_itself_without_text_is_classifier_free() -> None:
    """One batched pass or two, as if it were another network: the same, but for rounding."""
    twin = denoiser()
    plain = draw(3.0, None)
    assert torch.equal(draw(3.0, Reference(MODEL, TEXT.without_text())), plain)
    torch.testing.assert_close(
        draw(3.0, Reference(twin, TEXT.without_text())), plain, atol=1e-4, rtol=1e-3
    )


def test_guidance_by_the_network_itself_with_the_text_is_none() -> None:
    torch.testing.assert_close(
        draw(3.0, Reference(denoiser(), TEXT)), draw(1.0, None), atol=1e-4, rtol=1e-3
    )


def test_another_reference_draws_another_image_unless_nothing_is_guided() -> None:
    references = [None, Reference(MODEL, condition(4, 2)), Reference(denoiser(1), TEXT)]
    guided = [draw(3.0, each) for each in references]
    assert not any(torch.allclose(guided[0], each, atol=1e-3) for each in guided[1:])
    assert all(torch.equal(draw(1.0, each), draw(1.0, None)) for each in references)
