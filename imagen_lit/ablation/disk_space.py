"""The disk space that the checkpoints of trainings will take, counted from their parameters, and
what is free."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import kept_checkpoints, preparation
from imagen_lit.ablation.cell import Cell
from imagen_lit.basics import chosen_folder
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config

GB = 1e9


class DiskSpace(NamedTuple):
    """Bytes that checkpoints will take, and that the disk of `runs` has."""

    needed: int
    free: int
    runs: Path

    def __str__(self) -> str:
        is_enough = self.needed <= self.free
        there = f"{self.free / GB:,.0f} GB are free" if is_enough else f"too many: {self._free}"
        return f"{self.needed / GB:,.2f} GB of checkpoints; {there}"

    @property
    def _free(self) -> str:
        return f"the disk of {self.runs} has {self.free / GB:,.1f} GB free"

    def require(self) -> None:
        """Raise if it is too small."""
        if self.needed > self.free:
            raise InputError(
                f"the checkpoints take {self.needed / GB:,.1f} GB, and {self._free}. "
                "Set runs=... to a larger disk, or free some space."
            )


def of(cells: Sequence[Cell], runs: Path) -> DiskSpace:
    """Of the trainings among these cells."""
    place = chosen_folder.first_that_exists(runs.absolute()) or Path.cwd()
    trainings = [cell for cell in cells if cell.command == "train"]
    return DiskSpace(checkpoint_bytes(trainings), shutil.disk_usage(place).free, runs)


def checkpoint_bytes(cells: Sequence[Cell]) -> int:
    """Of all checkpoints that these trainings keep."""
    sizes: dict[str, int] = {}
    total = 0
    for cell in cells:
        own = {k: v for k, v in cell.settings.items() if k not in ("seed", "name", "runs")}
        key = json.dumps(own)
        if key not in sizes:
            sizes[key] = _bytes_of_one(preparation.compose("train", own))
        newest = preparation.setting("train", own, "callbacks.checkpoint.keep_last") or 1
        total += sizes[key] * (len(cell.settings.get(kept_checkpoints.KEY, ())) + newest)
    return total


def _bytes_of_one(cfg: DictConfig) -> int:
    """Weights, their EMA, and the optimiser's state."""
    import torch  # seconds, which a status need not wait for

    from imagen_lit.run import estimate

    with torch.device("meta"):
        stage = config.build(cfg.stage)
        stage.configure_optimizers()
    edge: Any = OmegaConf.select(cfg, "data.crop") or cfg.data.size
    size = estimate.estimate(stage, cfg.data.batch_size, edge, cfg.text.width)
    return 2 * size.weights + size.optimizer
