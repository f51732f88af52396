"""The one LightningModule: a denoiser learns, and a frozen second one follows it.

Base and both super-resolution stages are this class with different parts. There is one clock,
`images_seen`, and everything that is random is a function of (seed, a picture's position in the
stream). It does not encode text, sample, save pictures, read config, or know which stage it is.
"""

import copy
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from imagen_lit.diffusion import noise
from imagen_lit.diffusion.loss import Weighting, denoising_loss
from imagen_lit.diffusion.schedule import diffuse
from imagen_lit.stage import counters, ema, gradient, sharding
from imagen_lit.stage.condition import Batch, Condition
from imagen_lit.stage.denoiser import Denoiser

TIME_BINS = 10


class ConditionMaker(Protocol):
    def learn(self, batch: Batch, seed: int) -> Condition: ...


class Stage(LightningModule):
    """Trains until `images` pictures were seen. The learning rate climbs over the first `warmup`
    pictures, and falls to zero in a straight line over the last share `cooldown` of them.

    An update whose gradients are not finite is left out and counted; `patience` of them in a row
    are an error.
    """

    images_seen: Tensor

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
        patience: int = 20,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.ema = copy.deepcopy(denoiser).requires_grad_(False)
        self.condition, self.weighting, self.optimizer = condition, weighting, optimizer
        self.images, self.warmup, self.cooldown = images, warmup, cooldown
        self.ema_half_life, self.seed, self.patience = ema_half_life, seed, patience
        self.register_buffer("images_seen", torch.zeros((), dtype=torch.int64))
        self.flops: float | None = None  # of a picture, forward and backward, where it was counted
        self.skipped = 0  # updates left out, in all
        self.skipped_in_a_row = 0
        self.waits_since = 0.0  # for its next batch, by time.perf_counter
        self._resumed = 0  # images of the state that it goes on from
        self._underway = 0  # pictures of all ranks, taken up since the last update
        self._losses: list[Tensor] = []  # of these, a mean for each piece
        self._by_time: Tensor  # validation: sums of losses, and how many, by time

    def compile_networks(self, backend: str | None) -> None:
        """By torch.compile and in place, so that weights keep their names; None: as they are."""
        if backend is None:
            return  # and the compiler is not even imported
        known = torch.compiler.list_backends(exclude_tags=())
        if backend not in known:
            raise ValueError(
                f"compile={backend} is no compiler: expected null or one of {', '.join(known)}; "
                "type compile=inductor"
            )
        for denoiser in (self.denoiser, self.ema):
            denoiser.network.compile(backend=backend)

    @property
    def between_updates(self) -> bool:
        """Nothing is taken up that is not also learnt: the moment to save."""
        return self._underway == 0

    def loss(self, denoiser: Denoiser, batch: Batch, t: Tensor, seed: int) -> Tensor:
        """Loss per picture [B] at times t [B]."""
        return self.loss_given(denoiser, batch, self.condition.learn(batch, seed), t, seed)

    def loss_given(
        self, denoiser: Denoiser, batch: Batch, condition: Condition, t: Tensor, seed: int
    ) -> Tensor:
        """The same under a condition of the caller's, on the same noise."""
        x = batch["image"]
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

    def clean_estimate(
        self, denoiser: Denoiser, batch: Batch, condition: Condition, t: Tensor, seed: int
    ) -> Tensor:
        """What the denoiser makes of the pictures at times t, on that noise."""
        x = batch["image"]
        eps = noise.normal(seed, batch["position"], "noise", x.shape[1:]).to(x)
        return denoiser(diffuse(x, eps, denoiser.schedule(t)), t, condition)

    # Learning --------------------------------------------------------------------------------

    def configure_model(self) -> None:
        """Share out both networks alike, when the strategy has a mesh of devices."""
        if self.device_mesh is not None:
            half = self.trainer.precision == "bf16-mixed"
            for each in (self.denoiser, self.ema):
                sharding.shard(each.network, self.device_mesh["data_parallel"], half)

    def configure_optimizers(self) -> Optimizer:
        return self.optimizer(self.denoiser.parameters())

    def on_train_batch_start(self, batch: Batch, index: int) -> int | None:
        if self.trainer.should_stop:
            return -1  # asked to stop between two batches: at once, without another validation
        self._underway += len(batch["position"]) * self.trainer.world_size
        rate = self.rate(int(self.images_seen) + self._underway)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group.setdefault("peak", group["lr"]) * rate
        return None

    def training_step(self, batch: Batch, index: int) -> Tensor:
        t = noise.times(self.seed, batch["position"]).to(batch["image"])
        loss = self.loss(self.denoiser, batch, t, self.seed).mean()
        self._losses.append(loss.detach())
        self.log("train/loss", torch.stack(self._losses).mean(), sync_dist=True)
        self.log("images", (self.images_seen + self._underway).double())  # a float counts to 2^24
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        parameters = list(self.denoiser.parameters())
        length = gradient.length(parameters)
        self.log("train/gradient", length)
        if not torch.isfinite(length):  # the same number on all ranks, so the same decision
            gradient.drop(parameters)
            self.skipped += 1
            self.skipped_in_a_row += 1
        else:
            self.skipped_in_a_row = 0
            if gradient_clip_val:
                gradient.shorten(parameters, gradient_clip_val, length)
        self.log("train/skipped", float(self.skipped))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """The step, and with it the clock and the follower: no one ever sees one without the
        other."""
        super().optimizer_step(*args, **kwargs)
        self.images_seen += self._underway
        seen = int(self.images_seen)
        ema.follow(self.ema, self.denoiser, ema.decay(self._underway, seen, self.ema_half_life))
        self._underway, self._losses = 0, []
        if seen >= self.images:
            self.trainer.should_stop = True

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        """After all callbacks, which have written down what was left out."""
        self.waits_since = time.perf_counter()
        if self.between_updates and self.skipped_in_a_row >= self.patience:
            raise RuntimeError(
                f"the gradients of {self.patience} updates in a row were not finite, up to image "
                f"{int(self.images_seen):,}; metrics.jsonl holds their pictures' keys: lower "
                "optimizer.lr or trainer.gradient_clip_val, then type the same command with "
                "another name=..."
            )

    def rate(self, images_seen: int) -> float:
        """The share of the peak learning rate, as a function of the one clock."""
        climb = images_seen / self.warmup if self.warmup else 1.0
        ending = self.cooldown * self.images
        fall = (self.images - images_seen) / ending if ending else 1.0
        return max(0.0, min(1.0, climb, fall))

    # Validation ------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        self._by_time = torch.zeros(2, TIME_BINS, device=self.device, dtype=torch.float64)

    def validation_step(self, batch: Batch, index: int) -> None:
        """The follower's loss on fixed noise and an even grid of times."""
        bins, t = self.validation_times(batch)
        loss = self.loss(self.ema, batch, t, seed=0).double()
        self._by_time += torch.stack(
            [torch.bincount(bins, weights, minlength=TIME_BINS) for weights in (loss, loss * 0 + 1)]
        )

    def validation_times(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Which of the times each picture has, and that time: a function of its position."""
        bins = (batch["position"] % TIME_BINS).to(self.device)
        return bins, ((bins + 0.5) / TIME_BINS).to(batch["image"])

    def on_validation_epoch_end(self) -> None:
        """In all and by time, over the pictures of all ranks, which then know the same numbers."""
        total, count = self.trainer.strategy.reduce(self._by_time, reduce_op="sum")
        self.log("val/loss", total.sum() / count.sum(), sync_dist=True)
        for each in count.nonzero().flatten().tolist():
            self.log(f"val/loss_t{each}", total[each] / count[each], sync_dist=True)
        self.log("images", self.images_seen.double(), sync_dist=True)

    # Resuming --------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["images_seen"] = int(self.images_seen)
        checkpoint["skipped"] = self.skipped
        checkpoint["skipped_in_a_row"] = self.skipped_in_a_row

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The one integer says where the data begin, and what Lightning's counters must say."""
        seen = checkpoint["images_seen"]
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.skipped = checkpoint["skipped"]
        self.skipped_in_a_row = checkpoint["skipped_in_a_row"]
        self._resumed = seen
        data.start_at(seen)
        updates, pieces = seen // data.batch_size, self.trainer.accumulate_grad_batches
        every = self.trainer.val_check_interval
        validates = self.trainer.enable_validation and updates * pieces % every == 0
        checkpoint["loops"] = counters.after(checkpoint["loops"], updates, pieces, validates)

    def on_train_start(self) -> None:
        if int(self.images_seen) >= self.images:  # only a validation was owed, and it is made
            self.trainer.should_stop = True
        self._agree()
        self._lay_out_optimizer()

    def _agree(self) -> None:
        """Each rank has looked for the newest state by itself."""
        seen = torch.tensor([self._resumed, -self._resumed], device=self.device)
        most, least = self.trainer.strategy.reduce(seen, reduce_op="max").tolist()
        if most != -least:
            raise RuntimeError(
                f"the ranks go on from different states, after {-least:,} and {most:,} images: "
                "see that all nodes read the same disk, then type the same command"
            )

    def _lay_out_optimizer(self) -> None:
        """What the optimiser keeps of a weight comes to lie in memory as the weight does: otherwise
        each step after a resume would be slower than before."""
        for weight, state in self.trainer.optimizers[0].state.items():
            for name, value in state.items():
                if value.shape == weight.shape and value.stride() != weight.stride():
                    state[name] = torch.empty_like(weight).copy_(value)
