"""The one LightningModule: a denoiser is trained, and a frozen second one holds its EMA.

Base and both super-resolution stages are this class with different parts. There is one clock,
`images_seen`, and everything random is a function of (seed, an image's position in the stream). It
does not encode text, sample, save images, read config, or know which stage it is.
"""

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import RunError
from imagen_lit.diffusion import noise
from imagen_lit.diffusion.loss import Weighting, denoising_loss, hybrid_loss
from imagen_lit.diffusion.prediction import EpsilonWithVariance
from imagen_lit.diffusion.schedule import diffuse
from imagen_lit.stage import ema, frozen_weights, fsdp, gradient_clipping, loop_state
from imagen_lit.stage.condition import Batch, Condition
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.learning_rate import LearningRate
from imagen_lit.stage.null_text import NullText
from imagen_lit.stage.optimizer import MakeOptimizer, build_optimizer, match_memory_formats
from imagen_lit.stage.skip_record import SkipRecord
from imagen_lit.stage.time_bins import TIME_BINS


class ConditionMaker(Protocol):
    """What training needs from a condition maker. For the reader; nothing inherits from it."""

    @property
    def null_text(self) -> NullText:
        """What the network reads where there is no text."""

    def for_training(self, batch: Batch, seed: int) -> Condition:
        """The condition of `batch["image"]`, a function of (seed, position) of each image."""


class Stage(LightningModule):
    """Trains until it has seen `images` images, with the learning rate of learning_rate.py.

    An update without finite gradients is skipped and counted; `max_skipped_in_a_row` are an error.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        condition: ConditionMaker,
        weighting: Weighting,
        optimizer: MakeOptimizer,
        images: int,
        warmup: int,
        cooldown: float = 0.0,
        ema_half_life: float = 500_000,
        seed: int = 0,
        max_skipped_in_a_row: int = 20,
    ) -> None:
        super().__init__()
        self.denoiser = denoiser
        denoiser.null_text = condition.null_text
        self.ema = copy.deepcopy(denoiser).requires_grad_(False)
        self.condition, self.weighting, self.optimizer = condition, weighting, optimizer
        self.images, self.learning_rate = images, LearningRate(images, warmup, cooldown)
        self.ema_half_life = arguments.positive_number("stage.ema_half_life", ema_half_life)
        self.seed = arguments.whole_number("stage.seed", seed, 0)
        self.max_skipped_in_a_row = max_skipped_in_a_row
        arguments.whole_number("stage.max_skipped_in_a_row", max_skipped_in_a_row, 1)
        self.images_seen: int = 0  # the run's clock, equal on all ranks
        self.is_logged = True  # whether the current update is
        self.flops: float | None = None  # of an image, forward and backward, if counted
        self.skips = SkipRecord()
        self.waiting_since = 0.0  # for the next batch, by time.perf_counter
        self._resumed_at = 0  # images of the checkpoint that it resumes from
        self._pending_images = 0  # of all ranks, since the last update
        self._losses: list[Tensor] = []  # their mean in each micro-batch
        self._is_first = True  # update since this start
        self._loss_by_time: Tensor  # validation: sums of losses, and counts, by time

    def compile_networks(self, backend: str | None) -> None:
        """Use torch.compile, in place, so that weights keep their names; None: do not compile."""
        if backend is None:
            return  # without even importing the compiler
        for denoiser in (self.denoiser, self.ema):
            denoiser.compile_blocks(backend)

    @property
    def between_updates(self) -> bool:
        """Whether no micro-batch waits for its update: the moment to save."""
        return self._pending_images == 0

    def loss(self, denoiser: Denoiser, batch: Batch, t: Tensor, seed: int) -> Tensor:
        """Loss per image [B] at times t [B]."""
        return self.loss_for(denoiser, batch, self.condition.for_training(batch, seed), t, seed)

    def loss_for(
        self, denoiser: Denoiser, batch: Batch, condition: Condition, t: Tensor, seed: int
    ) -> Tensor:
        """The same under another condition, on the same noise."""
        x = batch["image"]
        eps = noise.normal(seed, batch["position"], "noise", x.shape[1:])
        has_variance = isinstance(denoiser.prediction, EpsilonWithVariance)
        loss: Callable[..., Tensor] = hybrid_loss if has_variance else denoising_loss
        return loss(
            lambda z, logsnr: denoiser.predict(z, logsnr, condition).float(),
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
        """The denoiser's estimate of the images at times t, on the same noise."""
        x = batch["image"]
        eps = noise.normal(seed, batch["position"], "noise", x.shape[1:])
        return denoiser(diffuse(x, eps, denoiser.schedule(t)), t, condition)

    # Training --------------------------------------------------------------------------------

    def configure_model(self) -> None:
        """Shard both networks alike, if the strategy has a mesh of devices."""
        if self.device_mesh is not None:
            bf16 = self.trainer.precision == "bf16-mixed"
            for denoiser in (self.denoiser, self.ema):
                fsdp.shard_network(denoiser.network, self.device_mesh["data_parallel"], bf16)
                fsdp.shard_alone(denoiser.null_text, self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> Optimizer:
        """Only the denoiser is trained, and of one with adapters only these; the EMA is frozen."""
        trained = (each for each in self.denoiser.parameters() if each.requires_grad)
        return build_optimizer(self.optimizer, trained)

    def on_train_batch_start(self, batch: Batch, index: int) -> int | None:
        """Set the learning rate of the update that the batch belongs to; -1 ends training."""
        if self.trainer.should_stop:
            return -1  # between two batches: stop at once, without another validation
        self._pending_images += len(batch["position"]) * self.trainer.world_size
        factor = self.learning_rate.factor(self.images_seen + self._pending_images)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group.setdefault("peak", group["lr"]) * factor
        return None

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """The mean loss; the mean over an update that is logged is logged. The others leave the
        host nothing to read, and the ranks nothing to reduce but their gradients."""
        t = noise.times(self.seed, batch["position"])
        loss = self.loss(self.denoiser, batch, t, self.seed).mean()
        self._losses.append(loss.detach())
        self.is_logged = self._logs_this_update()
        if self.is_logged and len(self._losses) == self.trainer.accumulate_grad_batches:
            self.log("train/loss", torch.stack(self._losses).mean(), sync_dist=True)
            images = self.images_seen + self._pending_images  # float32 only counts to 2^24
            self.log("images", torch.tensor(images, dtype=torch.float64))
        return loss

    def _logs_this_update(self) -> bool:
        """Every so many updates, as Lightning writes them; the first, to be shown; the last."""
        is_due: bool = (self.trainer.global_step + 1) % self.trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        is_last = self.images_seen + self._pending_images >= self.images
        return is_due or is_last or self._is_first

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients; if they are not finite, the step changes nothing."""
        parameters = list(self.denoiser.parameters())
        norm = gradient_clipping.norm(parameters)
        if gradient_clip_val:
            gradient_clipping.clip(parameters, gradient_clip_val, norm)
        is_skipped = ~torch.isfinite(norm)  # the same on all ranks, so the same decision
        gradient_clipping.skip_step_if(is_skipped, optimizer, parameters)
        self.skips.add(self.images_seen + self._pending_images, is_skipped)
        if self.is_logged:
            self.skips.read()
            self.log("train/grad_norm", norm)
            self.log("train/skipped_updates", float(self.skips.total))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update weights, clock and EMA together: none is ever visible without the others."""
        super().optimizer_step(*args, **kwargs)
        self.images_seen += self._pending_images
        decay = ema.decay(self._pending_images, self.images_seen, self.ema_half_life)
        ema.update(self.ema, self.denoiser, decay)
        self._pending_images, self._losses, self._is_first = 0, [], False
        if self.images_seen >= self.images:
            self.trainer.should_stop = True

    def on_train_batch_end(self, outputs: Any, batch: Batch, index: int) -> None:
        """Runs after all callbacks, which have logged what was skipped."""
        self.waiting_since = time.perf_counter()
        if self.is_logged and self.skips.longest_row >= self.max_skipped_in_a_row:
            raise RunError(
                f"the gradients of {self.max_skipped_in_a_row} updates in a row were not finite, "
                f"up to image {self.images_seen:,}; metrics.jsonl lists the keys of their "
                "images. Lower optimizer.lr or trainer.gradient_clip_val and train under another "
                "name=..."
            )

    # Validation ------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Start the sums."""
        self._loss_by_time = torch.zeros(2, TIME_BINS, device=self.device, dtype=torch.float64)

    def validation_step(self, batch: Batch, index: int) -> None:
        """The EMA's loss on fixed noise and an even grid of times."""
        bins, t = self.validation_times(batch)
        loss = self.loss(self.ema, batch, t, seed=0).double()
        is_in = (bins[:, None] == torch.arange(TIME_BINS, device=bins.device)).double()
        self._loss_by_time += torch.stack([loss, torch.ones_like(loss)]) @ is_in

    def validation_times(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Each image's bin and time: a function of its position."""
        bins = batch["position"] % TIME_BINS
        return bins, (bins + 0.5) / TIME_BINS

    def on_validation_epoch_end(self) -> None:
        """Log the loss, overall and by time, over the images of all ranks, so that all agree."""
        total, count = self.trainer.strategy.reduce(self._loss_by_time, reduce_op="sum")
        self.log("val/loss", total.sum() / count.sum(), sync_dist=True)
        for i, images in enumerate(count.tolist()):
            if images:
                self.log(f"val/loss_t{i}", total[i] / images, sync_dist=True)
        images = self._loss_by_time.new_tensor(self.images_seen)
        self.log("images", images, sync_dist=True)  # equal on all ranks

    # Resuming --------------------------------------------------------------------------------

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load the weights. Earlier versions had the clock among them."""
        weights = {name: each for name, each in state_dict.items() if name != "images_seen"}
        return super().load_state_dict(weights, *args, **kwargs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the clock and the counts of skipped updates to the weights."""
        frozen_weights.leave_out(checkpoint, self.denoiser)
        checkpoint["images_seen"] = self.images_seen
        checkpoint |= self.skips.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The one integer says where the data begin, and what Lightning's counters must be."""
        self.images_seen = images_seen = checkpoint["images_seen"]
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.skips.load_state_dict(checkpoint)
        self._resumed_at = images_seen
        data.start_at(images_seen)
        updates, steps = images_seen // data.batch_size, self.trainer.accumulate_grad_batches
        every = self.trainer.val_check_interval
        validates = self.trainer.enable_validation and updates * steps % every == 0
        checkpoint["loops"] = loop_state.after(checkpoint["loops"], updates, steps, validates)

    def on_train_start(self) -> None:
        """Check and prepare what was loaded."""
        if self.images_seen >= self.images:  # only a validation was pending, and it is done
            self.trainer.should_stop = True
        self._check_ranks_agree()
        match_memory_formats(self.trainer.optimizers[0])

    def _check_ranks_agree(self) -> None:
        """Raise unless they do: each rank has looked for the newest checkpoint by itself."""
        images = torch.tensor([self._resumed_at, -self._resumed_at], device=self.device)
        most, least = self.trainer.strategy.reduce(images, reduce_op="max").tolist()
        if most != -least:
            raise RunError(
                f"the ranks resume from different checkpoints, after {-least:,} and {most:,} "
                "images. Make sure that all nodes read the same disk, then type the same command."
            )
