"""Is it learning what it should? Signals that a loss curve hides, at every validation.

    health/text_gap        loss without captions / with them, less 1
    health/shuffled_gap    loss with other pictures' captions / with their own, less 1
    health/ema_lag         how far the follower is behind: |follower - network| / |network|
    health/lowres_error    super-resolution: the answer made small, against the small one (RMS)
    health/channel_drift   how far the answer's mean colour is off, the worst channel
    val/loss_t0 … _t9      the stage's own: loss by noise level, always on the same noise

A signal out of its range is said aloud, with its likely cause. Nothing is changed by it.
"""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from imagen_lit.stage.condition import Batch, Condition
from imagen_lit.stage.training import Stage

# lowest, highest, and what is likely wrong outside.
HEALTHY = {
    "text_gap": (
        0.002,
        None,
        "the captions change nothing: are these the sidecars of these shards, and is "
        "stage.condition.drop below 1?",
    ),
    "shuffled_gap": (
        0.002,
        None,
        "other pictures' captions serve as well as their own: are captions and pictures of one "
        "row in the shards, and are captions more than a word?",
    ),
    "ema_lag": (
        None,
        0.5,
        "the follower is far behind: stage.ema_half_life is long for so few images, or the "
        "learning rate is too high",
    ),
    "lowres_error": (
        None,
        0.1,
        "the large picture is not the small one: is the augmentation level told to the network, "
        "and does cascade's factor agree with stage.condition.factor?",
    ),
    "channel_drift": (
        None,
        0.05,
        "colours drift as a whole, as norms without the input beside the last convolution do",
    ),
}

RISE = 1.25  # a loss at one noise level may be so many times the least it has been


class Health(Callback):
    """Measured on the first `batches` of a validation; warns when `after` images were seen."""

    def __init__(self, after: int, batches: int = 4) -> None:
        self.after, self.batches = after, batches
        self._least: dict[str, float] = {}  # of the losses by noise level, so far

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._sums: Tensor | None = None

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: Any,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx < self.batches:
            with trainer.precision_plugin.forward_context():  # as the validation itself
                sums = measure(pl_module, batch)
            self._sums = sums if self._sums is None else self._sums + sums

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        if self._sums is None:
            return
        sums = trainer.strategy.reduce(self._sums, reduce_op="sum")
        signals = dict(
            zip(("text_gap", "shuffled_gap"), (sums[1:3] / sums[0] - 1).tolist(), strict=True)
        )
        signals["channel_drift"] = float((sums[4:7] / sums[7]).abs().max())
        if sums[8] > 0:
            signals["lowres_error"] = float((sums[3] / sums[8]).sqrt())
        signals["ema_lag"] = lag(pl_module)
        for name, value in signals.items():
            pl_module.log(f"health/{name}", value, sync_dist=True)  # all ranks know the same
        if int(pl_module.images_seen) >= self.after:
            for name, value in signals.items():
                _judge(name, value, int(pl_module.images_seen))

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        found = {n: float(v) for n, v in trainer.callback_metrics.items() if "/loss_t" in n}
        for name, loss in found.items():
            least = self._least.setdefault(name, loss)
            if int(pl_module.images_seen) >= self.after and not loss <= RISE * least:
                _warn_of_rise(name, loss, least)
            self._least[name] = min(least, loss)

    def state_dict(self) -> dict[str, Any]:
        return {"least": self._least}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._least = dict(state_dict["least"])


@torch.no_grad()
def measure(stage: Stage, batch: Batch) -> Tensor:
    """Sums over a batch: losses with, without and with others' captions; squared error of the small
    picture; the answer's colour errors; how many pictures, and how many of them with a small one.
    """
    told = stage.condition.learn(batch, 0)
    given = Condition(batch["text"].to(told.text), batch["mask"], told.lowres, told.lowres_logsnr)
    others = Condition(
        given.text.roll(1, 0), given.mask.roll(1, 0), told.lowres, told.lowres_logsnr
    )
    _, t = stage.validation_times(batch)
    losses = [
        stage.loss_given(stage.ema, batch, condition, t, 0).double().sum()
        for condition in (given, given.without_text(), others)
    ]
    x = batch["image"]
    answer = stage.clean_estimate(stage.ema, batch, given, t, 0).clamp(-1, 1)
    colour = (answer - x).mean((2, 3)).double().sum(0)
    count, with_lowres, error = len(x), 0, 0.0
    if told.lowres is not None:
        edge = told.lowres.shape[-1]
        small, wanted = (F.adaptive_avg_pool2d(picture, edge) for picture in (answer, x))
        with_lowres, error = count, float((small - wanted).square().mean((1, 2, 3)).sum())
    numbers = [*losses, error, *colour, count, with_lowres]
    return torch.tensor([float(n) for n in numbers], dtype=torch.float64, device=x.device)


@torch.no_grad()
def lag(stage: Stage) -> float:
    """|follower - network| / |network|, over all weights."""
    pairs = zip(stage.ema.parameters(), stage.denoiser.parameters(), strict=True)
    apart, size = 0.0, 0.0
    for behind, ahead in pairs:
        apart += float(_whole((behind - ahead).square().sum()))
        size += float(_whole(ahead.square().sum()))
    return (apart / size) ** 0.5


def _whole(number: Tensor) -> Tensor:
    return number.full_tensor() if hasattr(number, "full_tensor") else number


@rank_zero_only
def _judge(name: str, value: float, seen: int) -> None:
    low, high, cause = HEALTHY[name]
    if not ((low is None or value >= low) and (high is None or value <= high)):
        wanted = f"at least {low}" if high is None else f"at most {high}"
        warnings.warn(
            f"health/{name} is {value:.4g} after {seen:,} images, and {wanted} is healthy: {cause}",
            stacklevel=2,
        )


@rank_zero_only
def _warn_of_rise(name: str, loss: float, least: float) -> None:
    warnings.warn(
        f"{name} is {loss:.4g} and was {least:.4g}: at most {RISE} times the least so far is "
        "healthy. At the noisy end (t9) a learning rate that is too high comes first; at the clean "
        "end (t0) pictures that are learnt by heart, or a weighting that leaves this level out",
        stacklevel=2,
    )
