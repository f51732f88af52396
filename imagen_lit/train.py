"""Fit one stage. The same command goes on where the run stopped.

Which weights a run begins with: its own newest good state; or else those of `start_from`, another
run; or else new ones.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf, open_dict

from imagen_lit import (
    checkpoint,
    complaint,
    door,
    outlook,
    owner,
    readiness,
    run_folder,
    slurm,
    status,
)
from imagen_lit.callbacks.checkpoint import Checkpoints
from imagen_lit.data import sidecar
from imagen_lit.data.loader import Data
from imagen_lit.stage.training import Stage
from imagen_lit.text.encoder import HuggingFace

_say = rank_zero_only(print)


def train(cfg: DictConfig) -> Path:
    """Train until `stage.images` pictures were seen; the run folder."""
    folder = Path(cfg.runs) / cfg.name
    run_folder.refuse_another(folder, cfg)
    status.refuse_beside_a_job(folder)
    owner.take(folder)
    with slurm.remembering(), owner.alone(folder):
        run_folder.drop_void_claim(folder)
        with status.told(folder, _sentence):
            ahead, lacks = foretell(cfg, whole=cfg.trainer.accelerator != "cpu")
            if lacks:
                more = f" (and {len(lacks) - 1} more, listed above in order)" if lacks[1:] else ""
                raise ValueError(f"{lacks[0]}{more}")
            _train(cfg, folder, ahead.flops)
    return folder


def _train(cfg: DictConfig, folder: Path, flops: float) -> None:
    torch.manual_seed(cfg.seed)  # the weights at the start; all else is keyed by (seed, position)
    stage: Stage = door.build(cfg.stage)
    stage.flops = flops
    stage.compile_networks(cfg.compile)
    data: Data = door.build(cfg.data)
    data.setup()
    asked = _encoder(folder, door.build(cfg.text), _previews(cfg))
    _refuse_other_text(str(cfg.data.text), data.encoder, asked)
    owner.check(folder)
    run_folder.claim(folder, cfg)  # only now: settings that cannot be built claim nothing
    run_folder.remember_text(folder, data.encoder)
    state = checkpoint.newest_good(folder)
    seen = 0 if state is None else checkpoint.images(state)
    owed = state is not None and checkpoint.owes_validation(state)
    if seen >= stage.images and not owed:
        _say(f"{cfg.name}: already trained on {seen:,} images; nothing to do")
        return
    if seen:
        _say(f"{cfg.name}: goes on after {seen:,} of {stage.images:,} images")
    elif cfg.start_from is not None:
        run_folder.start_from(stage, Path(cfg.start_from))
    owner.check(folder)  # reading a state may have taken long
    checkpoint.put_away(folder, seen)
    run_folder.rewind(folder, seen, owed)
    trainer = _trainer(cfg.trainer)
    _refuse_without(trainer)
    trainer.accumulate_grad_batches = data.pieces(trainer.world_size)
    trainer.val_check_interval *= trainer.accumulate_grad_batches  # it counts batches; we, updates
    trainer.fit(stage, datamodule=data, ckpt_path=state, weights_only=True)
    if int(stage.images_seen) < stage.images:
        raise KeyboardInterrupt


def _previews(cfg: DictConfig) -> bool:
    """Whether prompts are encoded while it learns; all other text comes from the cache."""
    return "preview" in (cfg.callbacks or {})


def _encoder(folder: Path, encoder: HuggingFace, previews: bool) -> dict[str, str]:
    """What text=... says of the encoder. Training reads the cache alone, so its files may be
    elsewhere; where they are here they count too, at a run's first start, for they take a while to
    read, and where previews are drawn with them."""
    asked = (folder / "text.json").exists() and not previews
    return encoder.settings() if asked or encoder.lacks() else encoder.fingerprint()


def _refuse_other_text(text: str, found: dict[str, str], asked: dict[str, str]) -> None:
    if different := sidecar.differences(found, asked):
        raise ValueError(
            f"the text embeddings {text} were made with another encoder than text=... is now: "
            f"{different}; give text.* as they were made with, or embed the captions anew"
        )


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


def _refuse_without(trainer: Trainer) -> None:
    """States to go on from, and a journal: no run does without."""
    if not isinstance(trainer.checkpoint_callback, Checkpoints):
        raise ValueError(
            "found no callbacks.checkpoint, without which nothing is saved: expected the one of "
            "conf/callbacks/default.yaml; leave it there, or type callbacks=default"
        )
    if not isinstance(trainer.logger, run_folder.Journal):
        raise ValueError(
            "found no logger that writes metrics.jsonl: expected one that does; "
            "type logger=files, or logger=wandb for W&B as well"
        )


def _sentence(error: Exception) -> str:
    return complaint.of(error, list) or f"{type(error).__name__}: {error}"


def foretell(cfg: DictConfig, whole: bool) -> tuple[outlook.Outlook, list[str]]:
    """Say what this training will take, the whole screen or a line, and what it lacks."""
    shards = None if OmegaConf.is_missing(cfg.data, "shards") else str(cfg.data.shards)
    with torch.device("meta"):
        stage: Stage = door.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    ahead = outlook.foresee(stage, cfg.data.batch_size, edge, cfg.text.width)
    said = f"{cfg.name}: {edge}x{edge}, text of {cfg.text.name}"
    if whole:
        found = outlook.probe(Path(cfg.runs) / cfg.name), outlook.captions(shards)
        devices = _devices(cfg, lambda count: outlook.alive(stage, count, edge, cfg.text.width))
        said = "\n".join([said, *ahead.lines(cfg.text.width, *found, devices)])
    else:
        said = f"{said}; {ahead.brief()}"
    lacks = readiness.lacking(
        shards, str(cfg.data.text), cfg.text.path, cfg.text.made_by, cfg.trainer.accelerator,
        _previews(cfg),
    )  # fmt: skip
    notes = [cfg.notice] if cfg.notice else []
    notes += [f"missing {n}  {each}" for n, each in enumerate(lacks, 1) if whole or len(lacks) > 1]
    _say("\n".join([said, *notes]))
    return ahead, lacks


FEW = 32  # pictures at once that the screen gives as an example


def _devices(cfg: DictConfig, alive: Callable[[int], int]) -> outlook.Devices:
    """How the config shares out the training; `alive(pictures)` counts bytes."""
    asked = cfg.trainer.devices
    here = asked if isinstance(asked, int) else max(1, torch.accelerator.device_count())
    number = here * cfg.trainer.get("num_nodes", 1)
    each = -(-cfg.data.batch_size // number)
    at_once = min(each, cfg.data.at_once or each)
    shared = OmegaConf.is_dict(cfg.trainer.get("strategy"))  # the only strategy with a _target_
    fewer = (FEW, alive(FEW)) if at_once > FEW else None
    return outlook.Devices(number, shared, at_once, alive(at_once), fewer)


@door.main("train")
def main(cfg: DictConfig) -> None:
    if cfg.plan:
        foretell(cfg, whole=True)
        return
    _say(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
