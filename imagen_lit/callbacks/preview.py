"""Previews: after every so many images, the EMA draws the same prompts and seeds, to be looked at.

The images go into the run folder as one sheet, each above its prompt; of prompts that are captions
of images, the true image is below the one drawn. Prompts with an exact judge are scored too:
metrics.jsonl has their score/alignment_<category>; and it has the score/<name> of each metric that
is chosen, measured against `reference`; and `protocols`, the hash of what each score means, so that
other prompts or metrics after a resume go on no curve. speed/preview_share is what all this costs.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np
from lightning import Callback, LightningDataModule, Trainer
from torch import Tensor

from imagen_lit.basics import arguments, pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import ProgressLine, doing, still
from imagen_lit.data.prompts.prompt_sheet import prompt_sheet
from imagen_lit.data.prompts.source import JudgedPrompts, Prompts, Source
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.in_memory import InMemory
from imagen_lit.metrics import score_protocol
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.stage.condition import Condition, TextOnly
from imagen_lit.stage.recipe import Recipe

DRAWING = "drawing previews"
NO_METRICS: Mapping[str, Metric] = {}


class Encoder(Protocol):
    """Turns captions into vectors."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""


class Preview(Callback):
    """Draws after every `every` images, for stages that need only text."""

    def __init__(
        self,
        prompts: Source,
        encoder: Encoder,
        recipe: Recipe,
        size: int,
        every: int,
        folder: str,
        metrics: Mapping[str, Metric] = NO_METRICS,
        reference: ImageSet | None = None,
        feature_folder: str = "runs",
    ) -> None:
        self.source, self.encoder, self.recipe = prompts, encoder, recipe
        self.every = arguments.whole_number("callbacks.preview.every", every, 1)
        self.size, self.folder = size, Path(folder)
        self.metrics, self.reference = metrics, reference
        self.feature_folder = Path(feature_folder)  # of the reference
        self._prompts: Prompts | None = None  # before they are read

    def prompts(self, data: LightningDataModule) -> Prompts:
        """Those for these data, read once; refused where they do not fit."""
        if self._prompts is None:
            self._prompts = self.source.of(data)
        return self._prompts

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Encode the prompts, once."""
        if not isinstance(pl_module.condition, TextOnly):
            raise InputError(
                "previews are drawn from text alone, but this stage enlarges a smaller image. Set "
                "callbacks=default."
            )
        self._count = pl_module.images_seen // self.every
        self._since, self._seconds = time.perf_counter(), 0.0
        prompts = self.prompts(trainer.datamodule)  # type: ignore[attr-defined]
        text, mask = self.encoder.encode(prompts.prompts)
        self._condition = Condition(text.to(pl_module.device), mask.to(pl_module.device))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw, judge and write, if it is due."""
        images_seen = pl_module.images_seen
        if images_seen // self.every == self._count:
            return
        self._count = images_seen // self.every
        start = time.perf_counter()
        prompts = self.prompts(trainer.datamodule)  # type: ignore[attr-defined]
        with doing(DRAWING), trainer.precision_plugin.forward_context():
            x = self._draw(trainer, pl_module, prompts.seeds)
        if not trainer.is_global_zero:
            return
        images = pixels.to_array(x)
        row: dict[str, Any] = {"images": images_seen}
        protocols: dict[str, str] = {}
        if isinstance(prompts, JudgedPrompts):
            results = [prompts.judge(number, image) for number, image in enumerate(images)]
            judged = score_protocol.of_judge(prompts.prompts, self.size)
            for category, score in prompts.score(results).items():
                name, (low, high) = f"score/alignment_{category}", score["interval"]
                row[name] = [score["exact"], low, high]
                protocols[name] = judged
        for score in self._measured(images, prompts.prompts):
            name, interval = f"score/{score['metric']}", score["interval"]
            row[name] = [score["value"], *interval] if interval else score["value"]
            protocols[name] = score["protocol"]
        row |= {"protocols": protocols} if protocols else {}
        row["preview"] = f"preview_{images_seen:09d}.png"
        drawn = {"run": str(self.folder), "images_seen": images_seen}
        drawn |= {"prompts": prompts.prompts, "seeds": prompts.seeds}
        texts = png_metadata.texts(drawn, f"{self.folder} after {images_seen:,} images")
        pixels.save_png(prompt_sheet(prompts, images), self.folder / row["preview"], texts)
        self._seconds += time.perf_counter() - start
        row["speed/preview_share"] = self._seconds / (time.perf_counter() - self._since)
        trainer.logger.write(row)  # type: ignore[union-attr]

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Say what the previews cost."""
        if trainer.is_global_zero and self._seconds:
            share = self._seconds / (time.perf_counter() - self._since)
            ProgressLine.end()
            print(f"previews and their scores took {share:.0%} of the time", flush=True)

    def _measured(self, images: np.ndarray, prompts: list[str]) -> list[dict[str, Any]]:
        """A row for each score of each metric."""
        if not self.metrics:
            return []
        with TemporaryDirectory() as scratch:
            ruler = Ruler(
                self.metrics,
                Path(scratch),
                lambda size: self.reference,
                reference_folder=self.feature_folder,
            )
            stages = {"": InMemory(images, prompts)}
            ruler.check(stages)
            ruler.extract(stages)
            return ruler.measure(stages).rows

    def _draw(self, trainer: Trainer, stage: Any, seeds: list[int]) -> Tensor:
        """One image for each prompt: each rank draws its share, and all shares are as large, with
        some drawn twice, because ranks that share an EMA call it together."""
        ranks, count = trainer.world_size, len(seeds)
        share = range(trainer.global_rank, math.ceil(count / ranks) * ranks, ranks)
        mine = [number % count for number in share]
        condition = self._condition.rows(mine)
        steps = self.recipe.steps

        def each_step(number: int) -> None:
            still(f"{DRAWING}, step {number}/{steps}")

        own_seeds = [seeds[number] for number in mine]
        x = self.recipe.draw(stage.ema, condition, own_seeds, self.size, each_step)
        if ranks > 1:
            x = stage.all_gather(x).transpose(0, 1).flatten(0, 1)[:count]
        return x
