"""Train one stage. The same command resumes where the run stopped.

A run begins with the weights of its own newest good checkpoint; or else with those of `start_from`,
another run; or else with new ones.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.callbacks.checkpoint import Checkpoints
from imagen_lit.callbacks.preview import Preview
from imagen_lit.cli import command, config
from imagen_lit.data.loader import Data
from imagen_lit.run import lock, preflight, prompts, resume, run_folder, start_weights
from imagen_lit.run.attempt import attempt
from imagen_lit.run.jsonl_logger import JsonlLogger
from imagen_lit.run.trainer import build_trainer
from imagen_lit.stage.null_text import Encoded
from imagen_lit.stage.training import Stage
from imagen_lit.text import empty_caption, lost_text
from imagen_lit.text.cache_check import check_cache

_print = rank_zero_only(print)


def train(cfg: DictConfig, note: Callable[[str], None] = _print) -> Path:
    """Train until `stage.images` images have been seen; return the run folder. `note` receives what
    a user should know of the data."""
    folder = run_folder.locate(cfg.runs, cfg.name)
    chosen_folder.require_writable("name", cfg.name, folder)
    start = None if cfg.start_from is None else chosen_folder.of("start_from", cfg.start_from)
    with attempt(folder, cfg) as claim:
        stage, data, trainer = _build(cfg, folder, preflight.require(cfg).flops, note)
        point = resume.find(folder)
        resume.check(point, stage)
        if not point.images:
            _give_null_text(stage, data, cfg)
        if not point.images:
            start_weights.give(stage, start, data.encoder)
        lock.check(folder)
        is_done = point.images >= stage.images and not point.validation_pending
        claim(data.encoder, not is_done)  # only now: a start that is refused claims nothing
        if is_done:
            _print(
                f"{cfg.name}: already trained on {quantity(point.images, 'image')}; nothing to do"
            )
            return folder
        if point.images:
            _print(f"{cfg.name}: resumes after {point.images:,} of {stage.images:,} images")
        resume.rewind(folder, point)
        if not point.images:
            start_weights.keep_frozen(stage, folder)
        trainer.fit(stage, datamodule=data, ckpt_path=point.checkpoint, weights_only=True)
        if stage.images_seen < stage.images:
            raise KeyboardInterrupt
    return folder


def _build(
    cfg: DictConfig, folder: Path, flops: float, note: Callable[[str], None]
) -> tuple[Stage, Data, Trainer]:
    torch.manual_seed(cfg.seed)  # for initial weights; all else is a function of (seed, position)
    stage: Stage = config.build(cfg.stage)
    stage.flops = flops
    stage.compile_networks(cfg.compile)
    data: Data = config.build(cfg.data)
    data.setup()
    for line in data.notes:
        note(line)
    draws_previews = preflight.draws_previews(cfg)
    # The encoder's files are hashed at a run's first start only, and where previews need them.
    hash_files = draws_previews or not (folder / "text.json").exists()
    check_cache(str(cfg.data.text), data.encoder, config.build(cfg.text), hash_files)
    if draws_previews:
        prompts.require_source(cfg.callbacks.preview.prompts)
        reference = OmegaConf.select(cfg, "reference")
        if reference is not None and OmegaConf.is_missing(reference, "size"):
            reference.size = cfg.data.size
    trainer = build_trainer(cfg)
    _check_previews(trainer.callbacks, data)  # type: ignore[attr-defined]
    _require_checkpoints_and_logger(trainer)
    trainer.accumulate_grad_batches = data.accumulation_steps(trainer.world_size)
    trainer.val_check_interval *= trainer.accumulate_grad_batches  # batches; the config's updates
    return stage, data, trainer


def _give_null_text(stage: Stage, data: Data, cfg: DictConfig) -> None:
    """Encode the empty caption, where it is the null text; a checkpoint has it."""
    null_texts = [denoiser.null_text for denoiser in (stage.denoiser, stage.ema)]
    for null_text in (each for each in null_texts if isinstance(each, Encoded)):
        null_text.give(empty_caption.find(data.text_folder, config.build(cfg.text), data.encoder))


def _check_previews(callbacks: Sequence[Callback], data: Data) -> None:
    """Refuse prompts that do not fit the data, and say what the encoder loses of the others."""
    for preview in (each for each in callbacks if isinstance(each, Preview)):
        encoder: Any = preview.encoder
        rank_zero_only(lost_text.warn)(encoder, preview.prompts(data).prompts)


def _require_checkpoints_and_logger(trainer: Trainer) -> None:
    if not isinstance(trainer.checkpoint_callback, Checkpoints):
        raise InputError(
            "callbacks.checkpoint is missing, without which nothing is saved. "
            "Set callbacks=default, or keep it as in conf/callbacks/default.yaml."
        )
    if not isinstance(trainer.logger, JsonlLogger):
        raise InputError(
            "no logger writes metrics.jsonl. Set logger=files, or logger=wandb for W&B as well."
        )


@command.main("train")
def main(cfg: DictConfig) -> None:
    """Train, or with dry_run=true print what it would take and what is missing."""
    if arguments.switch("dry_run", cfg.dry_run):
        preflight.inspect(cfg, full=True)
    else:
        _print(f"the run is in {train(cfg)}")


if __name__ == "__main__":
    main()
