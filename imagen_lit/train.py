"""Fit one stage. The same command goes on where the run stopped: resume, or else from scratch."""

from pathlib import Path

import torch
from lightning import Trainer
from omegaconf import DictConfig

from imagen_lit import door, run_folder
from imagen_lit.data.loader import Data
from imagen_lit.stage.training import Stage


def train(cfg: DictConfig) -> Path:
    """Train until `stage.images` pictures were seen; the run folder."""
    folder = Path(cfg.runs) / cfg.name
    torch.manual_seed(cfg.seed)  # the weights at the start; all else is keyed by (seed, position)
    stage: Stage = door.build(cfg.stage)
    data: Data = door.build(cfg.data)
    data.setup()
    run_folder.claim(folder, cfg)  # only now: settings that cannot be built claim nothing
    run_folder.remember_text(folder, data.encoder)
    seen = run_folder.images_seen(folder)
    if seen >= stage.images:
        print(f"{cfg.name}: already trained on {seen:,} images; nothing to do")
        return folder
    if seen:
        print(f"{cfg.name}: goes on after {seen:,} of {stage.images:,} images")
    trainer: Trainer = door.build(cfg.trainer)
    file = run_folder.checkpoint(folder)
    trainer.fit(stage, datamodule=data, ckpt_path=file, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    if int(stage.images_seen) < stage.images:
        raise KeyboardInterrupt
    return folder


@door.main("train")
def main(cfg: DictConfig) -> None:
    print(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
