"""On stages whose truth is given, each signal measures it, and each warning names its cause."""

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

EDGE, IMAGES, TOKENS = 8, 20, 3


class Colour(nn.Module):
    """Predicts the colour that the text names, or else grey, plus an offset."""

    def __init__(self, uses_text: bool, offset: float = 0.0, lowres: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.uses_text, self.offset, self.lowres = uses_text, offset, lowres

    def forward(self, z: Tensor, logsnr: Tensor, text: Tensor, mask: Tensor,
                lowres: Tensor | None, lowres_logsnr: Tensor | None,
                reading: None) -> Tensor:  # fmt: skip
        colour = text[:, 0, :3] * self.uses_text
        output = colour[:, :, None, None].expand_as(z)
        if self.lowres:
            output = nn.functional.interpolate(lowres, z.shape[-2:])
        return self.weight * output + torch.tensor([self.offset, 0, 0])[:, None, None]


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
    """Images of one colour each, and texts that say which."""
    colours = torch.rand(IMAGES, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    return {
        "image": colours[:, :, None, None].repeat(1, 1, EDGE, EDGE),
        "text": colours[:, None, :].repeat(1, TOKENS, 1),
        "mask": torch.ones(IMAGES, TOKENS, dtype=torch.bool),
        "position": torch.arange(IMAGES),
    }


def signals(network: nn.Module, condition: Any = None, after: int = 0) -> dict[str, float]:
    """What a validation of one batch logs."""
    learner, metrics = stage(network, condition), {}
    learner.log = lambda name, value, **_: metrics.update({name: value})  # type: ignore[method-assign]
    reduce = lambda tensor, reduce_op: tensor  # noqa: E731
    trainer: Any = SimpleNamespace(
        strategy=SimpleNamespace(reduce=reduce), precision_plugin=Precision()
    )
    callback = health.Health(after)
    callback.on_validation_epoch_start(trainer, learner)
    callback.on_validation_batch_end(trainer, learner, None, batch(), 0)
    callback.on_validation_epoch_end(trainer, learner)
    return {name.removeprefix("health/"): value for name, value in metrics.items()}


def test_a_stage_that_uses_its_captions_is_worse_without_them() -> None:
    """And with those of other images."""
    values = signals(Colour(uses_text=True, offset=0.01))
    assert values["text_gap"] > 1 and values["shuffled_gap"] > 1


def test_a_stage_that_ignores_its_captions_gives_a_warning() -> None:
    with pytest.warns(UserWarning) as record:
        values = signals(Colour(uses_text=False))
    assert values["text_gap"] == values["shuffled_gap"] == 0
    text = " ".join(str(w.message) for w in record)
    assert "health/text_gap is 0 " in text and "sidecars" in text and "shuffled_gap" in text


def test_a_colour_that_is_off_by_a_tenth_is_measured_as_a_tenth() -> None:
    with pytest.warns(UserWarning, match="channel_drift .* at most 0.05 is healthy"):
        assert signals(Colour(True, offset=0.1))["channel_drift"] == pytest.approx(0.1, abs=1e-5)


def test_an_output_that_is_the_small_image_agrees_with_it() -> None:
    lowres = TextAndLowRes(schedule.Cosine(), factor=4, drop=0.0, max_aug_level=0.0)
    assert signals(Colour(True, lowres=True), lowres, 10)["lowres_error"] == pytest.approx(
        0, abs=1e-6
    )
    off = signals(Colour(True, offset=0.3, lowres=True), lowres, 10)["lowres_error"]
    assert off == pytest.approx((0.3**2 / 3) ** 0.5, rel=1e-4)
    assert "lowres_error" not in signals(Colour(True, 0.01)), "there is no small image here"


def test_the_lag_of_the_ema_is_a_distance_in_weights() -> None:
    learner = stage(Colour(True))
    with torch.no_grad():
        learner.denoiser.network.weight.fill_(2.0)
        learner.ema.network.weight.fill_(1.5)
    assert health.lag(learner) == pytest.approx(0.25)


def test_there_is_no_warning_before_anything_can_be_learnt() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signals(Colour(uses_text=False), after=10)


def test_a_loss_that_rises_at_one_noise_level_gives_a_warning() -> None:
    def validate(callback: health.Health, **losses: float) -> list[str]:
        metrics = {f"val/loss_{time}": torch.tensor(loss) for time, loss in losses.items()}
        trainer: Any = SimpleNamespace(callback_metrics=metrics | {"val/loss": torch.tensor(9.0)})
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            callback.on_validation_end(trainer, stage(Colour(True)))
        return [str(each.message) for each in record]

    callback = health.Health(after=0)
    assert validate(callback, t0=0.1, t9=1.0) == []
    assert validate(callback, t0=0.11, t9=0.8) == [], "a small rise is healthy"
    resumed = health.Health(after=0)
    resumed.load_state_dict(callback.state_dict())  # a run that resumes remembers
    (message,) = validate(resumed, t0=0.1, t9=1.1)
    assert "val/loss_t9 is 1.1 and was 0.8" in message and "learning rate" in message
    (message,) = validate(resumed, t0=float("nan"), t9=0.9)
    assert "val/loss_t0 is nan" in message
    assert validate(health.Health(after=10), t0=0.1) == []
