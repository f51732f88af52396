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
    lacks = foretell(cfg, whole=cfg.trainer.accelerator != "cpu")
    if lacks:
        more = f" (and {len(lacks) - 1} more, listed above in order)" if lacks[1:] else ""
        raise ValueError(f"{lacks[0]}{more}")
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


def foretell(cfg: DictConfig, whole: bool) -> list[str]:
    """Say what this training will take, the whole screen or a line; answer with what it lacks."""
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    with torch.device("meta"):
        stage: Stage = door.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    ahead = outlook.foresee(stage, cfg.data.batch_size, edge, cfg.text.width)
    said = f"{cfg.name}: {edge}x{edge}, text of {cfg.text.name}"
    if whole:
        found = outlook.probe(Path(cfg.runs) / cfg.name), outlook.captions(shards)
        said = "\n".join([said, *ahead.lines(cfg.text.width, *found)])
    else:
        said = f"{said}; {ahead.brief()}"
    lacks = readiness.lacking(
        shards, str(cfg.data.text), cfg.text.path, cfg.text.made_by, cfg.trainer.accelerator
    )
    notes = [cfg.notice] if cfg.notice else []
    notes += [f"missing {n}  {each}" for n, each in enumerate(lacks, 1) if whole or len(lacks) > 1]
    if rank_zero_only.rank == 0:
        print("\n".join([said, *notes]))
    return lacks


@door.main("train")
def main(cfg: DictConfig) -> None:
    if cfg.plan:
        foretell(cfg, whole=True)
        return
    print(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
