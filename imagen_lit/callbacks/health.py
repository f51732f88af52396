"""Is the model learning what it should? Signals that a loss curve hides, at every validation.

    health/text_gap        loss without captions / with them, minus 1
    health/shuffled_gap    loss with other images' captions / with their own, minus 1
    health/ema_lag         how far the EMA lags: |EMA - network| / |network|
    health/lowres_error    super-resolution: the output downsampled, against the small image (RMS)
    health/channel_drift   how far the output's mean colour is off, in the worst channel
    val/loss_t0 … _t9      logged by the stage: loss by noise level, always on the same noise

A signal out of its range gives a warning with its likely cause. The run itself is not changed.
"""

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from imagen_lit.basics import arguments
from imagen_lit.run.health_ranges import HEALTHY, MAX_RISE, bound, is_healthy
from imagen_lit.stage.condition import Batch, Condition
from imagen_lit.stage.training import Stage


class Health(Callback):
    """Measured on the first `batches` of a validation; warns once `after` images have been seen."""

    def __init__(self, after: int, batches: int = 4) -> None:
        self.after = arguments.whole_number("callbacks.health.after", after, 0)
        self.batches = arguments.whole_number("callbacks.health.batches", batches, 1)
        self._lowest: dict[str, float] = {}  # of the losses by noise level, so far

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the sums."""
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
        """Measure, on the first few batches."""
        if batch_idx < self.batches:
            with trainer.precision_plugin.forward_context():  # as in the validation itself
                sums = measure(pl_module, batch)
            self._sums = sums if self._sums is None else self._sums + sums

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Log the signals, and warn about those out of range."""
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
            pl_module.log(f"health/{name}", value, sync_dist=True)  # equal on all ranks
        if pl_module.images_seen >= self.after:
            for name, value in signals.items():
                _warn_if_unhealthy(name, value, pl_module.images_seen)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Warn about a loss that has risen at one noise level."""
        losses = {n: float(v) for n, v in trainer.callback_metrics.items() if "/loss_t" in n}
        for name, loss in losses.items():
            lowest = self._lowest.setdefault(name, loss)
            if pl_module.images_seen >= self.after and not loss <= MAX_RISE * lowest:
                _warn_of_rise(name, loss, lowest)
            self._lowest[name] = min(lowest, loss)

    def state_dict(self) -> dict[str, Any]:
        """The lowest losses so far."""
        return {"lowest": self._lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The lowest losses of the run that is resumed."""
        self._lowest = dict(state_dict["lowest"])


@torch.no_grad()
def measure(stage: Stage, batch: Batch) -> Tensor:
    """Sums over a batch: losses with, without and with other images' captions; squared error of the
    small image; the output's colour errors; how many images, and how many of them with a small one.
    """
    condition = stage.condition.for_training(batch, 0)  # its text is dropped from some images
    lowres = condition.lowres, condition.lowres_logsnr
    own = Condition(batch["text"].to(condition.text), batch["mask"], *lowres)
    others = Condition(own.text.roll(1, 0), own.mask.roll(1, 0), *lowres)
    _, t = stage.validation_times(batch)
    losses = [
        stage.loss_for(stage.ema, batch, each, t, 0).double().sum()
        for each in (own, own.without_text(), others)
    ]
    x = batch["image"]
    output = stage.clean_estimate(stage.ema, batch, own, t, 0).clamp(-1, 1)
    colour = (output - x).mean((2, 3)).double().sum(0)
    count, with_lowres, error = len(x), 0, losses[0].new_zeros(())
    if condition.lowres is not None:
        edge = condition.lowres.shape[-1]
        small, target = (F.adaptive_avg_pool2d(image, edge) for image in (output, x))
        with_lowres, error = count, (small - target).square().mean((1, 2, 3)).double().sum()
    counts = torch.tensor([count, with_lowres], dtype=torch.float64).to(x.device)
    return torch.cat([torch.stack([*losses, error]), colour, counts])


@torch.no_grad()
def lag(stage: Stage) -> float:
    """|EMA - network| / |network|, over all weights."""
    pairs = zip(stage.ema.parameters(), stage.denoiser.parameters(), strict=True)
    sums = [
        torch.stack([_full(part.double().square().sum()) for part in (average - weight, weight)])
        for average, weight in pairs
    ]
    distance, size = torch.stack(sums).sum(0).tolist()
    return (distance / size) ** 0.5


def _full(number: Tensor) -> Tensor:
    return number.full_tensor() if hasattr(number, "full_tensor") else number


@rank_zero_only
def _warn_if_unhealthy(name: str, value: float, images: int) -> None:
    low, high, cause = HEALTHY[name]
    if not is_healthy(value, low, high):
        warnings.warn(
            f"health/{name} is {value:.4g} after {images:,} images; {bound(low, high)} is healthy: "
            f"{cause}",
            stacklevel=2,
        )


@rank_zero_only
def _warn_of_rise(name: str, loss: float, lowest: float) -> None:
    warnings.warn(
        f"{name} is {loss:.4g} and was {lowest:.4g}; at most {MAX_RISE} times the lowest so far is "
        "healthy. Likely at the noisy end (t9): the learning rate is too high. At the clean end "
        "(t0): images are memorised, or the weighting leaves this noise level out",
        stacklevel=2,
    )
