"""Fit one stage. The same command goes on where the run stopped: resume, or else from scratch."""

from pathlib import Path

import torch
from lightning import Trainer
from omegaconf import DictConfig, open_dict

from imagen_lit import complaint, door, owner, run_folder, slurm, status
from imagen_lit.data.loader import Data
from imagen_lit.stage.training import Stage


def train(cfg: DictConfig) -> Path:
    """Train until `stage.images` pictures were seen; the run folder."""
    folder = Path(cfg.runs) / cfg.name
    run_folder.refuse_another(folder, cfg)
    owner.take(folder)
    with status.told(folder, _sentence):
        _train(cfg, folder)
    return folder


def _train(cfg: DictConfig, folder: Path) -> None:
    torch.manual_seed(cfg.seed)  # the weights at the start; all else is keyed by (seed, position)
    stage: Stage = door.build(cfg.stage)
    data: Data = door.build(cfg.data)
    data.setup()
    run_folder.claim(folder, cfg)  # only now: settings that cannot be built claim nothing
    run_folder.remember_text(folder, data.encoder)
    seen = run_folder.images_seen(folder)
    if seen >= stage.images:
        print(f"{cfg.name}: already trained on {seen:,} images; nothing to do")
        return
    if seen:
        print(f"{cfg.name}: goes on after {seen:,} of {stage.images:,} images")
    trainer = _trainer(cfg.trainer)
    file = run_folder.checkpoint(folder)
    trainer.fit(stage, datamodule=data, ckpt_path=file, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    if int(stage.images_seen) < stage.images:
        raise KeyboardInterrupt


def _trainer(node: DictConfig) -> Trainer:
    """The trainer. In a job of SLURM it has to be as large as the job, and Lightning's own
    requeueing is off: callbacks.preemption does that."""
    if not slurm.inside():
        return door.build(node)
    if type(node.devices) is int:  # Lightning says it too, but not what to type
        slurm.refuse_other_size(node.devices * node.get("num_nodes", 1))
    environment = {"_target_": "lightning.pytorch.plugins.environments.SLURMEnvironment"}
    with open_dict(node):
        node.plugins = [*(node.get("plugins") or []), environment | {"auto_requeue": False}]
    trainer: Trainer = door.build(node)
    slurm.refuse_other_size(trainer.world_size)
    return trainer


def _sentence(error: Exception) -> str:
    return complaint.of(error, list) or f"{type(error).__name__}: {error}"


@door.main("train")
def main(cfg: DictConfig) -> None:
    print(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
