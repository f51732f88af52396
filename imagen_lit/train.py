"""Fit one stage. The same command goes on where the run stopped: resume, or else from scratch."""

from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from imagen_lit import door, outlook, readiness, run_folder
from imagen_lit.data.loader import Data
from imagen_lit.stage.training import Stage


def train(cfg: DictConfig) -> Path:
    """Train until `stage.images` pictures were seen; the run folder."""
    folder = Path(cfg.runs) / cfg.name
    foretell(cfg, folder)
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


@rank_zero_only
def foretell(cfg: DictConfig, folder: Path) -> None:
    """Say what this training will take, and refuse it where something it needs is not there."""
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    with torch.device("meta"):
        stage: Stage = door.build(cfg.stage)
    edge, accelerator = cfg.data.crop or cfg.data.size, cfg.trainer.accelerator
    ahead = outlook.foresee(stage, cfg.data.batch_size, edge, cfg.text.width)
    seen = f"{edge}x{edge}, text of {cfg.text.name}"
    if accelerator == "cpu":
        print(f"{cfg.name} ({seen}): {ahead.brief()}")
    else:
        found = outlook.probe(folder), outlook.captions(shards)
        print("\n".join([f"{cfg.name}, {seen}", *ahead.lines(cfg.text.width, *found)]))
    if cfg.notice is not None:
        print(cfg.notice)
    lacks = readiness.lacking(
        shards, str(cfg.data.text), cfg.text.path, cfg.text.made_by, accelerator
    )
    if len(lacks) > 1:
        print("\n".join(f"missing {n}  {each}" for n, each in enumerate(lacks, 1)))
        lacks[0] += f"; {len(lacks) - 1} more, listed above in the order in which to type them"
    if lacks:
        raise ValueError(lacks[0])


@door.main("train")
def main(cfg: DictConfig) -> None:
    print(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
