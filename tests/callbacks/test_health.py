"""Each signal is what it says, on stages whose truth is known, and each warning names its cause."""

import warnings
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import Precision
from torch import Tensor, nn

from imagen_lit.callbacks import health
from imagen_lit.diffusion import prediction, schedule, weighting
from imagen_lit.stage.condition import TextAndLowRes, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.training import Stage

EDGE, PICTURES, TOKENS = 8, 20, 3


class Known(nn.Module):
    """Answers with a colour that its text tells, or that it has learnt by heart, plus an offset."""

    def __init__(self, listens: bool, offset: float = 0.0, lowres: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.listens, self.offset, self.lowres = listens, offset, lowres

    def forward(self, z: Tensor, logsnr: Tensor, text: Tensor, mask: Tensor,
                lowres: Tensor | None, lowres_logsnr: Tensor | None) -> Tensor:  # fmt: skip
        colour = text[:, 0, :3] * self.listens
        answer = colour[:, :, None, None].expand_as(z)
        if self.lowres:
            answer = nn.functional.interpolate(lowres, z.shape[-2:])
        return self.weight * answer + torch.tensor([self.offset, 0, 0])[:, None, None]


def stage(network: nn.Module, condition: Any = None) -> Stage:
    return Stage(
        Denoiser(network, schedule.Cosine(), prediction.Clean()),
        condition or TextOnly(0.0),
        weighting.constant,
        partial(torch.optim.SGD, lr=0.1),
        images=100,
        warmup=0,
    )


def batch() -> dict[str, Tensor]:
    """Pictures of one colour each, and texts that say which."""
    colours = torch.rand(PICTURES, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    return {
        "image": colours[:, :, None, None].repeat(1, 1, EDGE, EDGE),
        "text": colours[:, None, :].repeat(1, TOKENS, 1),
        "mask": torch.ones(PICTURES, TOKENS, dtype=torch.bool),
        "position": torch.arange(PICTURES),
    }


def signals(network: nn.Module, condition: Any = None, after: int = 0) -> dict[str, float]:
    """What a validation of one batch logs."""
    learner, logged = stage(network, condition), {}
    learner.log = lambda name, value, **_: logged.update({name: value})  # type: ignore[method-assign]
    reduce = lambda tensor, reduce_op: tensor  # noqa: E731
    trainer: Any = SimpleNamespace(
        strategy=SimpleNamespace(reduce=reduce), precision_plugin=Precision()
    )
    callback = health.Health(after)
    callback.on_validation_epoch_start(trainer, learner)
    callback.on_validation_batch_end(trainer, learner, None, batch(), 0)
    callback.on_validation_epoch_end(trainer, learner)
    return {name.removeprefix("health/"): value for name, value in logged.items()}


def test_a_stage_that_listens_is_worse_without_its_captions_and_with_others() -> None:
    found = signals(Known(listens=True, offset=0.01))
    assert found["text_gap"] > 1 and found["shuffled_gap"] > 1


def test_a_stage_that_does_not_listen_is_found_out() -> None:
    with pytest.warns(UserWarning) as said:
        found = signals(Known(listens=False))
    assert found["text_gap"] == found["shuffled_gap"] == 0
    words = " ".join(str(w.message) for w in said)
    assert "health/text_gap is 0 " in words and "sidecars" in words and "shuffled_gap" in words


def test_a_colour_that_is_off_by_a_tenth_is_measured_as_a_tenth() -> None:
    with pytest.warns(UserWarning, match="channel_drift .* at most 0.05 is healthy"):
        assert signals(Known(True, offset=0.1))["channel_drift"] == pytest.approx(0.1, abs=1e-5)


def test_an_answer_that_is_the_small_picture_agrees_with_it() -> None:
    lowres = TextAndLowRes(schedule.Cosine(), factor=4, drop=0.0, up_to=0.0)
    assert signals(Known(True, lowres=True), lowres, 10)["lowres_error"] == pytest.approx(
        0, abs=1e-6
    )
    off = signals(Known(True, offset=0.3, lowres=True), lowres, 10)["lowres_error"]
    assert off == pytest.approx((0.3**2 / 3) ** 0.5, rel=1e-4)
    assert "lowres_error" not in signals(Known(True, 0.01)), "there is no small picture here"


def test_the_follower_s_lag_is_a_distance_in_weights() -> None:
    learner = stage(Known(True))
    with torch.no_grad():
        learner.denoiser.network.weight.fill_(2.0)
        learner.ema.network.weight.fill_(1.5)
    assert health.lag(learner) == pytest.approx(0.25)


def test_nothing_is_said_before_anything_can_be_learnt() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signals(Known(listens=False), after=10)


def test_a_loss_that_rises_at_one_noise_level_is_said_with_its_level() -> None:
    def validated(callback: health.Health, **losses: float) -> list[str]:
        found = {f"val/loss_{time}": torch.tensor(loss) for time, loss in losses.items()}
        trainer: Any = SimpleNamespace(callback_metrics=found | {"val/loss": torch.tensor(9.0)})
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            callback.on_validation_end(trainer, stage(Known(True)))
        return [str(each.message) for each in said]

    callback = health.Health(after=0)
    assert validated(callback, t0=0.1, t9=1.0) == []
    assert validated(callback, t0=0.11, t9=0.8) == [], "a little is no news"
    again = health.Health(after=0)
    again.load_state_dict(callback.state_dict())  # a run that goes on remembers
    (said,) = validated(again, t0=0.1, t9=1.1)
    assert "val/loss_t9 is 1.1 and was 0.8" in said and "learning rate" in said
    (said,) = validated(again, t0=float("nan"), t9=0.9)
    assert "val/loss_t0 is nan" in said
    assert validated(health.Health(after=10), t0=0.1) == []
