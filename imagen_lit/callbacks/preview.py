"""Previews: after every so many images, the EMA draws the same prompts and seeds, to be judged.

The caller supplies prompts with a judge: `prompts`, `seeds`, `judge(number, image)` and
`score(results)`. The scores go into metrics.jsonl as score/alignment_<category>, the images into
the run folder as one sheet.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lightning import Callback, Trainer
from PIL import Image
from torch import Tensor

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.progress_line import doing
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe


class JudgedPrompts(Protocol):
    """Prompts, and a judge for the images drawn from them."""

    prompts: list[str]
    seeds: list[int]

    def judge(self, number: int, image: np.ndarray) -> dict[str, Any]:
        """The result for an image of prompt `number`, uint8 [H, W, 3]."""

    def score(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Results gathered by category, with intervals."""


class Encoder(Protocol):
    """Turns captions into vectors."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""


class Preview(Callback):
    """Draws after every `every` images, for stages that need only text."""

    def __init__(
        self,
        prompts: JudgedPrompts,
        encoder: Encoder,
        recipe: Recipe,
        size: int,
        every: int,
        folder: str,
    ) -> None:
        self.prompts, self.encoder, self.recipe = prompts, encoder, recipe
        self.size, self.every, self.folder = size, every, Path(folder)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Encode the prompts, once."""
        self._count = int(pl_module.images_seen) // self.every
        text, mask = self.encoder.encode(self.prompts.prompts)
        self._condition = Condition(text.to(pl_module.device), mask.to(pl_module.device))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw, judge and write, if it is due."""
        images_seen = int(pl_module.images_seen)
        if images_seen // self.every == self._count:
            return
        self._count = images_seen // self.every
        if not trainer.is_global_zero and pl_module.device_mesh is None:
            return  # one rank draws for all, unless each holds a shard of the EMA
        with doing("drawing previews"), trainer.precision_plugin.forward_context():
            x = self.recipe.draw(pl_module.ema, self._condition, self.prompts.seeds, self.size)
        if not trainer.is_global_zero:
            return
        images = pixels.to_array(x)
        results = [self.prompts.judge(number, image) for number, image in enumerate(images)]
        row: dict[str, Any] = {"images": images_seen}
        for category, score in self.prompts.score(results).items():
            low, high = score["interval"]
            row[f"score/alignment_{category}"] = [score["exact"], low, high]
        row["preview"] = f"preview_{images_seen:09d}.png"
        facts = {"run": str(self.folder), "images_seen": images_seen}
        facts |= {"prompts": self.prompts.prompts, "seeds": self.prompts.seeds}
        texts = png_metadata.texts(facts, f"{self.folder} after {images_seen:,} images")
        pixels.save_png(_sheet(images), self.folder / row["preview"], texts)
        trainer.logger.write(row)  # type: ignore[union-attr]


def _sheet(images: np.ndarray, columns: int = 12, edge: int = 64) -> Image.Image:
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * edge, rows * edge), "white")
    for i, image in enumerate(images):
        tile = Image.fromarray(image).resize((edge, edge), Image.Resampling.NEAREST)
        sheet.paste(tile, (i % columns * edge, i // columns * edge))
    return sheet
