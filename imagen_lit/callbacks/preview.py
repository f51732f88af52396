"""Every so many images: the same prompts, the same seeds, drawn by the follower and marked.

Who marks is handed in: an *examiner* has `prompts`, `seeds`, `mark(number, picture)` and
`score(marks)`. The marks go into the journal as score/alignment_<category>, the pictures into the
run folder as one sheet.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from lightning import Callback, Trainer
from PIL import Image

from imagen_lit.stage.condition import Condition
from imagen_lit.stage.recipe import Recipe


class Examiner(Protocol):
    prompts: list[str]
    seeds: list[int]

    def mark(self, number: int, picture: np.ndarray) -> dict[str, Any]: ...

    def score(self, marks: list[dict[str, Any]]) -> dict[str, Any]: ...


class Preview(Callback):
    """Draws after every `every` images, for stages that need nothing but text."""

    def __init__(
        self, examiner: Examiner, encoder: Any, recipe: Recipe, size: int, every: int, folder: str
    ) -> None:
        self.examiner, self.encoder, self.recipe = examiner, encoder, recipe
        self.size, self.every, self.folder = size, every, Path(folder)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self._drawn = int(pl_module.images_seen) // self.every
        text, mask = self.encoder.encode(self.examiner.prompts)
        self._condition = Condition(text.to(pl_module.device), mask.to(pl_module.device))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        seen = int(pl_module.images_seen)
        if seen // self.every == self._drawn:
            return
        self._drawn = seen // self.every
        if not trainer.is_global_zero and pl_module.device_mesh is None:
            return  # one draws for all, unless each holds a part of the follower
        with trainer.precision_plugin.forward_context():
            drawn = self.recipe.draw(pl_module.ema, self._condition, self.examiner.seeds, self.size)
        if not trainer.is_global_zero:
            return
        shown = ((drawn.float() + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        marks = [self.examiner.mark(i, picture) for i, picture in enumerate(shown)]
        row: dict[str, Any] = {"images": seen}
        for category, found in self.examiner.score(marks).items():
            low, high = found["interval"]
            row[f"score/alignment_{category}"] = [found["exact"], low, high]
        row["preview"] = f"preview_{seen:09d}.png"
        _sheet(shown, self.folder / row["preview"])
        trainer.logger.write(row)  # type: ignore[union-attr]


def _sheet(pictures: np.ndarray, file: Path, columns: int = 12, edge: int = 64) -> None:
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * edge, rows * edge), "white")
    for i, picture in enumerate(pictures):
        tile = Image.fromarray(picture).resize((edge, edge), Image.Resampling.NEAREST)
        sheet.paste(tile, (i % columns * edge, i // columns * edge))
    unfinished = file.with_suffix(".tmp")
    sheet.save(unfinished, "PNG")
    unfinished.replace(file)
