"""What SLURM is asked for to do a cell: the same as for a member of a sweep, which is what
conf/hydra/launcher/slurm.yaml makes of the trainer of the cell.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.cli import config, override

LAUNCHER = "hydra.launcher"
# The first part of the settings on which a job's size may depend; a cell has many others.
MATTERS = ("trainer", "data", "device", "stage", "scale", "experiment")
WITHOUT_GPU = ("fetch", "build_shards")


def job_request(cell: Cell, options: Mapping[str, Any], drawing_tasks: int) -> dict[str, Any]:
    """Nodes, tasks, GPUs, time and so on; `options` are those that a person has set."""
    own = {k: v for k, v in cell.settings.items() if k.split(".")[0].split("/")[0] in MATTERS}
    chosen = dict(options)
    if cell.command == EVALUATE:
        chosen |= {"tasks_per_node": drawing_tasks}
    if cell.command in WITHOUT_GPU:
        chosen |= {"gpus_per_node": None}
    composed = _composed(cell.command, json.dumps(own), json.dumps(chosen))
    return {**composed, "name": cell.command}


@functools.cache  # most cells differ in nothing that matters here
def _composed(command: str, settings: str, options: str) -> dict[str, Any]:
    launcher = {f"{LAUNCHER}.{key}": value for key, value in json.loads(options).items()}
    words = [*override.words(json.loads(settings)), "hydra/launcher=slurm"]
    cfg = config.compose(command, [*words, *override.words(launcher)], with_hydra=True)
    if cfg.get("device") == "cpu" and "trainer" not in cfg:
        cfg.hydra.launcher.gpus_per_node = None
    request: Any = OmegaConf.to_container(cfg.hydra.launcher, resolve=True)
    del request["_target_"]
    return dict(request)
