"""A stage learns, its EMA is an average, and no image depends on the others in its batch."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion import (
    guidance,
    noise,
    prediction,
    sampler,
    schedule,
    threshold,
    weighting,
)
from imagen_lit.network.unet import UNet
from imagen_lit.stage import ema
from imagen_lit.stage.augmentation import GaussianNoise, augment
from imagen_lit.stage.condition import Condition, TextAndLowRes, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.reference import Reference
from imagen_lit.stage.training import Stage

WIDTH, EDGE = 16, 8


def denoiser(lowres: int = 0) -> Denoiser:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32, lowres_channels=lowres)
    return Denoiser(network, schedule.Cosine(), prediction.Velocity())


def batch(images: int = 4, seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(images, 3, EDGE, EDGE, generator=g) * 2 - 1,
        "text": torch.randn(images, 5, WIDTH, generator=g),
        "mask": torch.ones(images, 5, dtype=torch.bool),
        "position": torch.arange(images),
    }


def stage(**changes: object) -> Stage:
    parts = {
        "denoiser": denoiser(),
        "condition": TextOnly(0.0),
        "weighting": weighting.snr_plus_one,
        "optimizer": partial(torch.optim.Adam, lr=3e-3),
        "images": 1000,
        "warmup": 0,
    }
    return Stage(**(parts | changes))


def test_a_stage_memorises_four_images() -> None:
    learner, four = stage(), batch()
    optimizer = learner.configure_optimizers()
    for step in range(250):
        four["position"] = torch.arange(4) + 4 * step
        t = noise.times(0, four["position"])
        loss = learner.loss(learner.denoiser, four, t, 0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    plain = Recipe(sampler.DDIM(), guidance.ClassifierFree(1.0), threshold.static, 16)
    condition = Condition(four["text"], four["mask"])
    images = plain.draw(learner.denoiser, condition, [7, 8, 9, 10], EDGE)
    nearest = torch.cdist(images.flatten(1), four["image"].flatten(1)).argmin(1)
    assert nearest.tolist() == [0, 1, 2, 3], "each text must bring back its own image"


def test_the_ema_of_a_network_that_stands_still_becomes_that_network() -> None:
    model, average = denoiser(), denoiser()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    for _ in range(40):
        ema.update(average, model, 0.5)
    for a, b in zip(average.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_half_of_an_average_remains_after_the_half_life_for_any_batch() -> None:
    for size in (1, 10, 50):
        share = 1.0
        for _ in range(100 // size):
            share *= ema.decay(size, 10**9, half_life=100)
        assert share == pytest.approx(0.5)


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    learner = stage(images=1000, warmup=100, cooldown=0.4)
    rates = [learner.learning_rate.factor(n) for n in (0, 50, 100, 600, 800, 1000)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 0.5, 0])


def test_level_zero_is_the_small_image_itself_and_level_one_is_noise() -> None:
    low = batch()["image"]
    eps = torch.randn_like(low)
    cosine = schedule.Cosine()
    assert torch.equal(augment(low, torch.zeros(4), eps, cosine)[0], low)
    torch.testing.assert_close(augment(low, torch.ones(4), eps, cosine)[0], eps, atol=1e-3, rtol=0)


@pytest.mark.parametrize("level", [-0.1, 1.5])
def test_a_level_outside_of_0_to_1_says_what_to_set(level: float) -> None:
    with pytest.raises(
        InputError, match=rf"^aug_level={level} is .*Set aug_level=0\.2, for example"
    ):
        Recipe(sampler.DDIM(), guidance.ClassifierFree(1.0), threshold.static, 4, level)
    key = r"stage\.condition\.augmentation\.max_aug_level"
    with pytest.raises(InputError, match=rf"^{key}={level} is .*Set {key}=0\.1, for example"):
        TextAndLowRes(schedule.Cosine(), max_aug_level=level)
    key = r"stage\.condition\.drop"
    with pytest.raises(InputError, match=rf"^{key}={level} is .*Set {key}=0\.1, for example"):
        TextOnly(level)


def test_the_small_image_is_the_box_average_of_the_large_one() -> None:
    data = batch()
    condition = TextAndLowRes(schedule.Cosine(), factor=4, drop=0.0).for_training(data, 0)
    average = data["image"].unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    level = noise.uniform(0, data["position"], "level")
    eps = noise.normal(0, data["position"], "augmentation", (3, 2, 2))
    expected = schedule.diffuse(average, eps, schedule.Cosine()(level))
    torch.testing.assert_close(condition.lowres, expected, atol=1e-5, rtol=1e-5)


def test_a_share_of_captions_is_dropped_depending_on_the_position_only() -> None:
    many = batch(4000)
    is_dropped = ~TextOnly(0.1).for_training(many, 0).mask.any(1)
    assert is_dropped.float().mean().item() == pytest.approx(0.1, abs=0.02)
    some = {k: v[1000:1040] for k, v in many.items()}
    assert torch.equal(~TextOnly(0.1).for_training(some, 0).mask.any(1), is_dropped[1000:1040])
    assert not TextOnly(0.1).for_training(many, 0).text[is_dropped].any()


def test_the_loss_of_an_image_does_not_depend_on_its_batch() -> None:
    learner, data = stage(condition=TextOnly(0.3)), batch(6)
    nn.init.normal_(learner.denoiser.network.last.weight)
    t = noise.times(0, data["position"])
    whole = learner.loss(learner.denoiser, data, t, 0)
    part = learner.loss(learner.denoiser, {k: v[2:4] for k, v in data.items()}, t[2:4], 0)
    torch.testing.assert_close(whole[2:4], part, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("prior", [2, 4])
def test_the_loss_with_prior_images_is_the_weighted_mean_of_its_parts(prior: int) -> None:
    """Ruiz et al. 2023, eq. 2, over 1 + lambda: a batch of 6 with so many prior images."""
    learner, data = stage(condition=TextOnly(0.0)), batch(6)
    nn.init.normal_(learner.denoiser.network.last.weight)
    t = noise.times(0, data["position"])

    def mean(rows: slice) -> Tensor:
        part = {name: each[rows] for name, each in data.items()}
        return learner.loss(learner.denoiser, part, t[rows], 0).mean()

    weight = prior / (6 - prior)
    parts = (mean(slice(prior, 6)) + weight * mean(slice(0, prior))) / (1 + weight)
    torch.testing.assert_close(mean(slice(0, 6)), parts, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", [sampler.DDIM(), sampler.Ancestral(0.3), sampler.DPMSolver()])
def test_a_sample_depends_on_its_seed_and_text_only(kind: sampler.Sampler) -> None:
    model, data = denoiser(lowres=3), batch(5)
    nn.init.normal_(model.network.last.weight, std=0.1)
    recipe = Recipe(kind, guidance.ClassifierFree(3.0), threshold.dynamic, 6, aug_level=0.2)
    augmentation = GaussianNoise(schedule.Cosine())
    seeds, low = [3, 1, 4, 1, 5], data["image"][:, :, :2, :2]

    def draw(rows: list[int]) -> Tensor:
        text = Condition(data["text"][rows], data["mask"][rows])
        own = [seeds[i] for i in rows]
        return recipe.draw(model, recipe.with_lowres(text, low[rows], augmentation, own), own, EDGE)

    torch.testing.assert_close(draw([0, 1, 2, 3, 4])[2:4], draw([2, 3]), atol=1e-4, rtol=1e-3)
    assert (draw([1, 3])[0] - draw([1, 3])[1]).abs().max() > 1e-3, "another text, another image"


def test_estimates_with_and_without_text_in_one_batch_equal_two_calls() -> None:
    model, data = denoiser(), batch(3)
    nn.init.normal_(model.network.last.weight)
    condition = Condition(data["text"], data["mask"])
    t = torch.tensor([0.2, 0.5, 0.9])
    estimate, reference = Reference(model, condition.without_text()).pair(model, condition)(
        data["image"], t
    )
    torch.testing.assert_close(estimate, model(data["image"], t, condition), atol=1e-5, rtol=1e-4)
    alone = model(data["image"], t, condition.without_text())
    torch.testing.assert_close(reference, alone, atol=1e-5, rtol=1e-4)
