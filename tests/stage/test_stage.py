"""A stage learns, its follower follows, and nothing depends on the company a picture keeps."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

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
from imagen_lit.stage.condition import Condition, TextAndLowRes, TextOnly, augment
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage

WIDTH, EDGE = 16, 8


def denoiser(lowres: int = 0) -> Denoiser:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32, lowres_channels=lowres)
    return Denoiser(network, schedule.Cosine(), prediction.Velocity())


def batch(pictures: int = 4, seed: int = 0) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(pictures, 3, EDGE, EDGE, generator=g) * 2 - 1,
        "text": torch.randn(pictures, 5, WIDTH, generator=g),
        "mask": torch.ones(pictures, 5, dtype=torch.bool),
        "position": torch.arange(pictures),
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


def test_a_stage_learns_four_pictures_by_heart() -> None:
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
    drawn = plain.draw(learner.denoiser, Condition(four["text"], four["mask"]), [7, 8, 9, 10], EDGE)
    nearest = torch.cdist(drawn.flatten(1), four["image"].flatten(1)).argmin(1)
    assert nearest.tolist() == [0, 1, 2, 3], "each text must bring back its own picture"


def test_following_a_network_that_stands_still_becomes_that_network() -> None:
    leader, follower = denoiser(), denoiser()
    for parameter in leader.parameters():
        nn.init.normal_(parameter)
    for _ in range(40):
        ema.follow(follower, leader, 0.5)
    for there, here in zip(follower.parameters(), leader.parameters(), strict=True):
        torch.testing.assert_close(there, here, atol=1e-6, rtol=1e-5)


def test_half_of_the_past_is_forgotten_after_the_half_life_whatever_the_batch() -> None:
    for size in (1, 10, 50):
        kept = 1.0
        for _ in range(100 // size):
            kept *= ema.decay(size, 10**9, half_life=100)
        assert kept == pytest.approx(0.5)


def test_the_learning_rate_climbs_stays_and_falls_to_zero() -> None:
    learner = stage(images=1000, warmup=100, cooldown=0.4)
    rates = [learner.rate(n) for n in (0, 50, 100, 600, 800, 1000)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 0.5, 0])


def test_level_zero_is_the_small_picture_itself_and_level_one_is_noise() -> None:
    low = batch()["image"]
    eps = torch.randn_like(low)
    cosine = schedule.Cosine()
    assert torch.equal(augment(low, torch.zeros(4), eps, cosine)[0], low)
    torch.testing.assert_close(augment(low, torch.ones(4), eps, cosine)[0], eps, atol=1e-3, rtol=0)


@pytest.mark.parametrize("level", [-0.1, 1.5])
def test_a_level_that_is_none_says_what_to_type(level: float) -> None:
    with pytest.raises(ValueError, match=rf"level={level}.*for example level=0\.2"):
        Recipe(sampler.DDIM(), guidance.ClassifierFree(1.0), threshold.static, 4, level)
    with pytest.raises(ValueError, match=rf"up_to={level}.*for example up_to=0\.1"):
        TextAndLowRes(schedule.Cosine(), up_to=level)
    with pytest.raises(ValueError, match=rf"drop={level}.*for example drop=0\.1"):
        TextOnly(level)


def test_the_small_picture_is_the_box_average_of_the_large_one() -> None:
    data = batch()
    condition = TextAndLowRes(schedule.Cosine(), factor=4, drop=0.0).learn(data, 0)
    average = data["image"].unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2))
    level = noise.uniform(0, data["position"], "level")
    eps = noise.normal(0, data["position"], "augmentation", (3, 2, 2))
    expected = schedule.diffuse(average, eps, schedule.Cosine()(level))
    torch.testing.assert_close(condition.lowres, expected, atol=1e-5, rtol=1e-5)


def test_as_many_captions_are_dropped_as_is_said_and_which_depends_on_the_position_alone() -> None:
    many = batch(4000)
    dropped = ~TextOnly(0.1).learn(many, 0).mask.any(1)
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=0.02)
    some = {k: v[1000:1040] for k, v in many.items()}
    assert torch.equal(~TextOnly(0.1).learn(some, 0).mask.any(1), dropped[1000:1040])
    assert not TextOnly(0.1).learn(many, 0).text[dropped].any()


def test_a_loss_belongs_to_a_picture_not_to_its_batch() -> None:
    learner, data = stage(condition=TextOnly(0.3)), batch(6)
    nn.init.normal_(learner.denoiser.network.last.weight)
    t = noise.times(0, data["position"])
    whole = learner.loss(learner.denoiser, data, t, 0)
    part = learner.loss(learner.denoiser, {k: v[2:4] for k, v in data.items()}, t[2:4], 0)
    torch.testing.assert_close(whole[2:4], part, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [sampler.DDIM(), sampler.Ancestral(0.3), sampler.DPMSolver()])
def test_a_drawn_picture_depends_on_its_seed_and_text_alone(kind: sampler.Sampler) -> None:
    drawer, data = denoiser(lowres=3), batch(5)
    nn.init.normal_(drawer.network.last.weight, std=0.1)
    recipe = Recipe(kind, guidance.ClassifierFree(3.0), threshold.dynamic, 6, level=0.2)
    cosine, seeds, low = schedule.Cosine(), [3, 1, 4, 1, 5], data["image"][:, :, :2, :2]

    def draw(which: list[int]) -> Tensor:
        text = Condition(data["text"][which], data["mask"][which])
        mine = [seeds[i] for i in which]
        return recipe.draw(drawer, recipe.with_lowres(text, low[which], cosine, mine), mine, EDGE)

    torch.testing.assert_close(draw([0, 1, 2, 3, 4])[2:4], draw([2, 3]), atol=1e-4, rtol=1e-3)
    assert (draw([1, 3])[0] - draw([1, 3])[1]).abs().max() > 1e-3, "another text, another picture"


def test_guidance_of_both_kinds_in_one_batch_equals_two_calls() -> None:
    drawer, data = denoiser(), batch(3)
    nn.init.normal_(drawer.network.last.weight)
    condition = Condition(data["text"], data["mask"])
    t = torch.tensor([0.2, 0.5, 0.9])
    given, reference = drawer.bind_pair(condition)(data["image"], t)
    torch.testing.assert_close(given, drawer(data["image"], t, condition), atol=1e-5, rtol=1e-4)
    alone = drawer(data["image"], t, condition.without_text())
    torch.testing.assert_close(reference, alone, atol=1e-5, rtol=1e-4)
