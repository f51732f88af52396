"""Fit one stage. The same command goes on where the run stopped.

Which weights a run begins with: its own newest good state; or else those of `start_from`, another
run; or else new ones.
"""

from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from imagen_lit import checkpoint, door, run_folder
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
    state = checkpoint.newest_good(folder)
    seen = 0 if state is None else checkpoint.images(state)
    if seen >= stage.images:
        _say(f"{cfg.name}: already trained on {seen:,} images; nothing to do")
        return folder
    if seen:
        _say(f"{cfg.name}: goes on after {seen:,} of {stage.images:,} images")
    elif cfg.start_from is not None:
        run_folder.start_from(stage, Path(cfg.start_from))
    run_folder.rewind(folder, seen)
    trainer: Trainer = door.build(cfg.trainer)
    trainer.accumulate_grad_batches = data.pieces(trainer.world_size)
    trainer.val_check_interval *= trainer.accumulate_grad_batches  # it counts batches; we, updates
    if cfg.compile:
        for denoiser in (stage.denoiser, stage.ema):
            denoiser.network.compile()
    trainer.fit(stage, datamodule=data, ckpt_path=state, weights_only=True)
    if int(stage.images_seen) < stage.images:
        raise KeyboardInterrupt
    return folder


_say = rank_zero_only(print)


@door.main("train")
def main(cfg: DictConfig) -> None:
    _say(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
