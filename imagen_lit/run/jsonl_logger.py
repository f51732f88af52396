"""The logger that writes metrics.jsonl, one line at a time: a kill loses at most the line being
written."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.run import metrics


class JsonlLogger(Logger):
    """Appends to metrics.jsonl in `folder`."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.file = Path(folder) / metrics.FILE

    @property
    def name(self) -> str:
        """The run's name."""
        return self.file.parent.name

    @property
    def version(self) -> str:
        """Empty: a run has one version."""
        return ""

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Does nothing: config.yaml holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Called by Lightning: write a row, if it says after how many images."""
        row = {k: v for k, v in metrics.items() if k not in ("epoch", "step")}
        if "images" in row:
            self.write(row | {"images": int(row["images"])})

    @rank_zero_only
    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row; it is on disk when this returns."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
            handle.flush()
            os.fsync(handle.fileno())  # a checkpoint on disk implies that its rows are too
