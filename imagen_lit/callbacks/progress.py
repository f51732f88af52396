"""One line that says how far training is and how long it will still take."""

from contextlib import ExitStack
from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit.basics.progress_line import Counter, ProgressLine, doing


class Progress(Callback):
    """`every`: seconds between two lines in a log; on a terminal the line rewrites itself."""

    def __init__(self, label: str = "", every: float = 15.0) -> None:
        self.label, self.every = label, every
        self._validation = ExitStack()

    def on_fit_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Say what comes before the count: Lightning reads a batch before training starts."""
        if trainer.is_global_zero and pl_module.images_seen < pl_module.images:
            label = f"{self.label}: " if self.label else ""
            ProgressLine().show(f"{label}reading the first batch", last=False)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Show the line; the clock of the estimate starts after the first batch."""
        self._counter, self._note = Counter("images", self.label, self.every), ""
        self._noted_at = 0  # images after which that loss was
        images = pl_module.images_seen
        if trainer.is_global_zero and images < pl_module.images:
            self._counter.start(images, pl_module.images)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the line, if it is due."""
        if trainer.is_global_zero:
            self._count(trainer, pl_module, last=False)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what keeps the line from advancing."""
        self._validation.enter_context(doing("validating"))

    def on_validation_batch_end(self, *_: Any) -> None:
        """In a log, a validation that takes long is seen to be one."""
        if ProgressLine.current is not None:
            ProgressLine.current.repeat()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The time of the validation is no part of the speed."""
        self._validation.close()

    def on_fit_end(self, trainer: Trainer, pl_module: Any) -> None:
        """The last line comes when everything is saved; an interrupted one only ends."""
        if not trainer.is_global_zero or self._counter.is_empty:
            return
        if pl_module.images_seen >= pl_module.images:
            self._count(trainer, pl_module, last=True)
        ProgressLine.end()

    def _count(self, trainer: Trainer, pl_module: Any, last: bool) -> None:
        loss = trainer.callback_metrics.get("train/loss")
        images = pl_module.images_seen
        if loss is not None and pl_module.is_logged and pl_module.between_updates:
            self._note, self._noted_at = f"loss {float(loss):.4f}", images
        is_new = not self._note or self._noted_at == images
        note = self._note if is_new else f"{self._note} after {self._noted_at:,}"
        self._counter(images, pl_module.images, note, last=last)
