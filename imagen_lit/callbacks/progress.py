"""One line that says how far training is and how long it will still take."""

from typing import Any

from lightning import Callback, LightningModule, Trainer

from imagen_lit.basics.eta import Eta
from imagen_lit.basics.progress_line import ProgressLine


class Progress(Callback):
    """`every`: seconds between two lines in a log file; on a terminal the line rewrites itself."""

    def __init__(self, label: str = "", every: float = 15.0) -> None:
        self.label, self.every = label, every

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the estimate."""
        self._eta, self._line = Eta(), ProgressLine(self.every)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the line, if it is due."""
        images, total = int(pl_module.images_seen), pl_module.images
        self._eta.update(images)
        last = images >= total
        if trainer.is_global_zero and self._line.is_due(last):
            loss = trainer.callback_metrics.get("train/loss")
            self._line.show(self._text(images, total, loss), last)

    def _text(self, images: int, total: int, loss: Any) -> str:
        filled = round(24 * min(1.0, images / total))
        parts = [f"{self.label} {'█' * filled}{'░' * (24 - filled)} {images:,}/{total:,} images"]
        if loss is not None:
            parts.append(f"loss {float(loss):.4f}")
        parts.append(f"{self._eta.speed:.0f} images/s")
        parts.append(f"{self._eta.remaining(total)} left")
        return ", ".join(parts)
