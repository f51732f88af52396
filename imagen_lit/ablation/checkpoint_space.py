"""The disk space that the checkpoints of trainings will take, counted from their parameters."""

import json
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.ablation import kept_checkpoints, preparation
from imagen_lit.ablation.cell import Cell
from imagen_lit.cli import config


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
    from imagen_lit.stage.training import Stage

    with torch.device("meta"):
        stage: Stage = config.build(cfg.stage)
        stage.configure_optimizers()
    edge: Any = OmegaConf.select(cfg, "data.crop") or cfg.data.size
    size = estimate.estimate(stage, cfg.data.batch_size, edge, cfg.text.width)
    return 2 * size.weights + size.optimizer
