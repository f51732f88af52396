"""The one LightningModule: a denoiser learns, and a frozen second one follows it.

Base and both super-resolution stages are this class with different parts. There is one clock,
`images_seen`, and everything that is random is a function of (seed, a picture's position in the
stream). It does not encode text, sample, save pictures, read config, or know which stage it is.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from imagen_lit.diffusion import noise
from imagen_lit.diffusion.loss import Weighting, denoising_loss
from imagen_lit.stage import ema
from imagen_lit.stage.condition import Batch, Condition
from imagen_lit.stage.denoiser import Denoiser

TIME_BINS = 10


class ConditionMaker(Protocol):
    def learn(self, batch: Batch, seed: int) -> Condition: ...


class Stage(LightningModule):
    """Trains until `images` pictures were seen. The learning rate climbs over the first `warmup`
    pictures, and falls to zero in a straight line over the last share `cooldown` of them."""

    def __init__(
        self,
        denoiser: Denoiser,
        condition: ConditionMaker,
        weighting: Weighting,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        images: int,
        warmup: int,
        cooldown: float = 0.0,
        ema_half_life: float = 500_000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.ema = copy.deepcopy(denoiser).requires_grad_(False)
        self.condition, self.weighting, self.optimizer = condition, weighting, optimizer
        self.images, self.warmup, self.cooldown = images, warmup, cooldown
        self.ema_half_life, self.seed = ema_half_life, seed
        self.register_buffer("images_seen", torch.zeros((), dtype=torch.int64))

    def loss(self, denoiser: Denoiser, batch: Batch, t: Tensor, seed: int) -> Tensor:
        """Loss per picture [B] at times t [B]."""
        x, condition = batch["image"], self.condition.learn(batch, seed)
        eps = noise.normal(seed, batch["position"], "noise", x.shape[1:]).to(x)
        return denoising_loss(
            lambda z, logsnr: denoiser.answer(z, logsnr, condition).float(),
            x,
            eps,
            t,
            denoiser.schedule,
            denoiser.prediction,
            self.weighting,
        )

    def on_fit_start(self) -> None:
        self.trainer.datamodule.start_at(int(self.images_seen))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        t = noise.times(self.seed, batch["position"]).to(batch["image"])
        loss = self.loss(self.denoiser, batch, t, self.seed).mean()
        self.log("train/loss", loss, batch_size=len(t))
        self.log("images", float(self.images_seen + self._whole), batch_size=len(t))
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """The step, and with it the clock and the follower: no one ever sees one without the
        other."""
        super().optimizer_step(*args, **kwargs)
        self.images_seen += self._whole
        seen = int(self.images_seen)
        ema.follow(self.ema, self.denoiser, ema.decay(self._whole, seen, self.ema_half_life))
        if seen >= self.images:
            self.trainer.should_stop = True

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        self._whole = len(batch["position"]) * self.trainer.world_size  # pictures of all ranks
        rate = self.rate(int(self.images_seen) + self._whole)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group.setdefault("peak", group["lr"]) * rate

    def rate(self, images_seen: int) -> float:
        """The share of the peak learning rate, as a function of the one clock."""
        climb = images_seen / self.warmup if self.warmup else 1.0
        ending = self.cooldown * self.images
        fall = (self.images - images_seen) / ending if ending else 1.0
        return max(0.0, min(1.0, climb, fall))

    def validation_step(self, batch: Batch, index: int) -> None:
        """The follower's loss on fixed noise and an even grid of times, in all and by time."""
        bins = (batch["position"] % TIME_BINS).to(self.device)
        t = (bins + 0.5) / TIME_BINS
        loss = self.loss(self.ema, batch, t.to(batch["image"]), seed=0)
        self.log("val/loss", loss.mean(), batch_size=len(t))
        for time in bins.unique().tolist():
            here = loss[bins == time]
            self.log(f"val/loss_t{time}", here.mean(), batch_size=len(here))
        self.log("images", float(self.images_seen), batch_size=len(t))

    def configure_optimizers(self) -> Optimizer:
        return self.optimizer(self.denoiser.parameters())
