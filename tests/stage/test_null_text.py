"""Whatever the null text is, training, previews and drawing read the same, and no other."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from two_ranks import both_pass

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion import guidance, prediction, sampler, schedule, threshold, weighting
from imagen_lit.network.unet import UNet
from imagen_lit.stage import ema, fsdp
from imagen_lit.stage.condition import Condition, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.null_text import PLACES, Encoded, Learned, MaskedZeros, NullText, SeenZeros
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.reference import Reference
from imagen_lit.stage.training import Stage

WIDTH, EDGE, TOKENS = 16, 8, 5


def encoded() -> Encoded:
    null_text = Encoded(WIDTH)
    null_text.give(torch.linspace(-1, 1, 2 * WIDTH).view(2, WIDTH))
    return null_text


KINDS = {
    "masked zeros": MaskedZeros,
    "seen zeros": partial(SeenZeros, 3),
    "learned": partial(Learned, WIDTH, 2),
    "encoded": encoded,
}


def stage(null_text: NullText, drop: float = 0.5) -> Stage:
    torch.manual_seed(0)
    network = UNet(WIDTH, [16, 32], [1, 1], [False, True], 16, 32)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    denoiser = Denoiser(network, schedule.Cosine(), prediction.Velocity())
    adam = partial(torch.optim.Adam, lr=1e-2)
    return Stage(denoiser, TextOnly(drop, null_text), weighting.plain, adam, images=64, warmup=0)


def batch(images: int = 8) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    return {
        "image": torch.rand(images, 3, EDGE, EDGE, generator=g) * 2 - 1,
        "text": torch.randn(images, TOKENS, WIDTH, generator=g),
        "mask": torch.ones(images, TOKENS, dtype=torch.bool),
        "position": torch.arange(images),
    }


def seen_by(null_text: NullText, text: Tensor, mask: Tensor) -> list[Tensor]:
    """The tokens that attention sees, of each image."""
    return [row[visible] for row, visible in zip(*null_text(text, mask), strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_only_an_image_without_text_gets_the_null_text(kind: str) -> None:
    null_text, data = KINDS[kind](), batch(3)
    mask = data["mask"].clone()
    mask[1], mask[2, 3:] = False, False
    first, null, third = seen_by(null_text, data["text"], mask)
    assert torch.equal(first, data["text"][0]) and torch.equal(third, data["text"][2, :3])
    expected = {
        "masked zeros": torch.zeros(0, WIDTH),
        "seen zeros": torch.zeros(3, WIDTH),
        "learned": getattr(null_text, "vectors", torch.zeros(0)).view(-1, WIDTH),
        "encoded": torch.linspace(-1, 1, 2 * WIDTH).view(2, WIDTH),
    }
    assert torch.equal(null, expected[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_null_text_does_not_depend_on_the_length_of_the_others(kind: str) -> None:
    learner, data = stage(KINDS[kind]()), batch(2)
    t = torch.tensor([0.3, 0.6])
    nothing = [Condition(data["text"][:, :n], data["mask"][:, :n] & False) for n in (1, TOKENS)]
    estimates = [learner.denoiser(data["image"], t, each) for each in nothing]
    torch.testing.assert_close(*estimates, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dropped_caption_the_reference_and_an_empty_prompt_are_one(kind: str) -> None:
    learner, data = stage(KINDS[kind](), drop=1.0), batch(4)
    t = torch.full((4,), 0.4)
    dropped = learner.condition.for_training(data, 0)
    condition = Condition(data["text"], data["mask"])
    pair = Reference(learner.ema, condition.without_text()).pair(learner.ema, condition)
    _, reference = pair(data["image"], t)
    empty = Condition(data["text"] * 0, data["mask"] & False)
    for condition in (dropped, empty):
        estimate = learner.ema(data["image"], t, condition)
        torch.testing.assert_close(estimate, reference, atol=1e-5, rtol=1e-4)
    plain = Recipe(sampler.DDIM(), guidance.ClassifierFree(0.0), threshold.static, 2)
    condition = Condition(data["text"], data["mask"])
    one = plain.draw(learner.ema, condition, [0, 1, 2, 3], EDGE)
    other = plain.draw(learner.ema, empty, [0, 1, 2, 3], EDGE)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_four_null_texts_are_four_different_ones() -> None:
    data, t = batch(2), torch.tensor([0.3, 0.6])
    nothing = Condition(data["text"] * 0, data["mask"] & False)
    estimates = [stage(make()).denoiser(data["image"], t, nothing) for make in KINDS.values()]
    for number, one in enumerate(estimates):
        for other in estimates[:number]:
            assert (one - other).abs().max() > 1e-3


def test_a_learned_null_text_learns_from_dropped_captions_and_its_average_follows() -> None:
    learner, data = stage(Learned(WIDTH)), batch()
    optimizer = learner.configure_optimizers()
    before = learner.denoiser.null_text.vectors.detach().clone()
    learner.loss(learner.denoiser, data, torch.full((8,), 0.5), 0).mean().backward()
    optimizer.step()
    ema.update(learner.ema, learner.denoiser, 0.5)
    after, average = learner.denoiser.null_text.vectors, learner.ema.null_text.vectors
    assert (after - before).abs().min() > 0
    torch.testing.assert_close(average, (before + after) / 2)
    assert {"denoiser.null_text.vectors", "ema.null_text.vectors"} <= {*learner.state_dict()}
    kept = stage(Learned(WIDTH), drop=0.0)
    kept.loss(kept.denoiser, data, torch.full((8,), 0.5), 0).mean().backward()
    assert not kept.denoiser.null_text.vectors.grad.any(), "a caption is there each time"


def test_an_encoded_null_text_is_in_the_checkpoint_and_too_many_tokens_are_refused() -> None:
    weights = stage(encoded()).state_dict()
    fresh = stage(Encoded(WIDTH))
    fresh.load_state_dict(weights)
    (null,) = seen_by(fresh.ema.null_text, torch.zeros(1, 3, WIDTH), torch.zeros(1, 3).bool())
    assert torch.equal(null, torch.linspace(-1, 1, 2 * WIDTH).view(2, WIDTH))
    with pytest.raises(InputError, match=r"has 5 tokens of width 16.*Set another stage/null_text"):
        Encoded(WIDTH).give(torch.zeros(PLACES + 1, WIDTH))


def test_a_run_without_a_null_text_in_its_settings_has_no_more_weights_than_before() -> None:
    assert not [name for name in stage(MaskedZeros()).state_dict() if "null_text" in name]


def check_sharding(rank: int) -> None:
    """A sharded learned null text has the gradient of the whole batch."""
    torch.manual_seed(0)  # the same on both, as in a training
    mesh: Any = init_device_mesh("cpu", (2,))
    whole, sharded, data = stage(Learned(WIDTH)), stage(Learned(WIDTH)), batch()
    with torch.no_grad():
        sharded.denoiser.null_text.vectors.copy_(whole.denoiser.null_text.vectors)
    fsdp.shard_network(sharded.denoiser.network, mesh, bf16=False)
    fsdp.shard_alone(sharded.denoiser.null_text, mesh)
    t = torch.full((8,), 0.5)
    whole.loss(whole.denoiser, data, t, 0).mean().backward()
    half = {name: tensor[4 * rank : 4 * rank + 4] for name, tensor in data.items()}
    sharded.loss(sharded.denoiser, half, t[:4], 0).mean().backward()
    vectors = sharded.denoiser.null_text.vectors
    assert len(vectors.to_local()) == WIDTH // 2
    expected = whole.denoiser.null_text.vectors.grad
    torch.testing.assert_close(vectors.grad.full_tensor(), expected, rtol=1e-3, atol=1e-5)


def test_a_learned_null_text_is_sharded_like_the_network(tmp_path: Path) -> None:
    assert both_pass(check_sharding, tmp_path)
