"""A run's folder, `runs/<name>`: its settings, and the stage that it trained.

    config.yaml      the settings that claimed the folder; a start with other settings is refused
    checkpoints/     tensors and numbers only (imagen_lit/run/checkpoint.py)
    metrics.jsonl    one JSON object per line (imagen_lit/run/metrics.py)
    text.json        the fingerprint of the text encoder that the run was trained with
    status.json      running, finished, failed, stopped or preempted (imagen_lit/run/status.py)
    run.lock         held by the process that trains here (imagen_lit/run/lock.py)
    lock.json        under SLURM instead: which start of which job may write here

The folder is the run, and its name is the run's name.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from imagen_lit.basics import chosen_folder, json_file
from imagen_lit.basics.atomic import write_json, write_text
from imagen_lit.basics.errors import InputError, UserError
from imagen_lit.basics.settings_diff import differing_keys, flatten, settings_diff
from imagen_lit.cli import config
from imagen_lit.run import checkpoint, earlier_settings, evaluation_facts, lock, status
from imagen_lit.run.checkpoint_digest import checkpoint_digest
from imagen_lit.run.encoder_difference import encoder_difference
from imagen_lit.run.run_facts import CONFIG
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.training import Stage

# What a resumed run may change: how long, on what hardware, and how it is logged. Nothing that
# changes what is learnt.
CHANGEABLE: tuple[str, ...] = ("stage.images", "stage.max_skipped_in_a_row", "trainer", "callbacks")
CHANGEABLE += ("device", "precision", "tf32", "text.device")
CHANGEABLE += ("text.dtype",)  # which every start compares in the text cache's own header
CHANGEABLE += ("logger", "runs", "compile", "start_from", "dry_run", "notice", "data.workers")
CHANGEABLE += ("data.decoded_cache_mib", "data.micro_batch_size", "network.checkpointing")
CHANGEABLE += ("stage.denoiser.network.checkpointing", "prompts", "metrics", "features")
CHANGEABLE += ("text_features", "reference", "feature_folder")
FIXED = ("trainer.gradient_clip_val",)  # although the rest of the trainer is changeable

TEXT = "text.json"
EMA = "ema."  # before the names of its weights
CLAIM = (CONFIG, TEXT)
TRACES = {status.FILE, lock.LOCK}  # of every start
PATHS = ("data.shards", "data.text", "text.path")  # files may move while a run lasts


def locate(runs: Any, name: Any) -> Path:
    """The folder `runs/<name>`; a name that leads out of `runs/`, or to a file, is refused."""
    root = chosen_folder.of("runs", runs)
    words = str(name).split("/")
    is_name = type(name) in (str, int, float)
    if not is_name or str(name).startswith("/") or {"", ".", ".."} & {*words} or "\0" in str(name):
        raise InputError(
            f"name={name} is not the name of a folder in {runs}. Set name=mine, or "
            "name=group/mine, for example; runs=... chooses another place."
        )
    chosen_folder.refuse_file("name", name, root / str(name))
    return root / str(name)


def claim(folder: Path, cfg: DictConfig, encoder: Mapping[str, str] | None = None) -> None:
    """Record the settings of the folder's run, and the fingerprint of the encoder that made the
    text cache, so that sampling can require the same one. A folder that belongs to others is
    refused, and left as it is."""
    refuse_other_settings(folder, cfg)
    if encoder is not None:
        _refuse_other_encoder(folder, encoder)
        write_json(folder / TEXT, dict(sorted(encoder.items())))
    write_text(folder / CONFIG, OmegaConf.to_yaml(OmegaConf.create(plain(cfg))))


@rank_zero_only
def release_void_claim(folder: Path) -> None:
    """Drop the claim of a start from which nothing can go on."""
    if _claims_nothing(folder):
        for name in CLAIM:
            (folder / name).unlink(missing_ok=True)


@rank_zero_only
def remove_unclaimed(folder: Path) -> None:
    """Remove what a refused start has left, with the folders above that it made: a folder that no
    run has claimed holds nothing but the traces of such starts."""
    if not folder.is_dir() or {each.name for each in folder.iterdir()} - TRACES:
        return
    for name in TRACES:
        (folder / name).unlink(missing_ok=True)
    for each in (folder, *folder.parents):
        if each.exists() and (each.samefile(".") or any(each.iterdir())):
            return
        each.rmdir()


def _claims_nothing(folder: Path) -> bool:
    """Whether the last start failed or was stopped, and no start has left a checkpoint: also the
    same settings begin anew then, without the rows that it may have left. A preempted one is only
    waiting, and a killed one had no time to say so."""
    is_over = status.read(folder).get("state") in ("failed", "stopped")
    return is_over and not checkpoint.saved(folder)


def refuse_other_settings(folder: Path, cfg: DictConfig) -> None:
    """Raise if a run with other settings has claimed the folder, and can go on."""
    file = folder / CONFIG
    if not file.exists() and (folder / evaluation_facts.PROVENANCE).exists():
        raise InputError(
            f"{folder} holds images that were drawn with other runs, such as an evaluation's. "
            "Choose another name=..."
        )
    if not file.exists() and checkpoint.saved(folder):
        raise InputError(
            f"{folder} has checkpoints but no config.yaml, which says what they are. Restore that "
            "file, or choose another name=..."
        )
    if _claims_nothing(folder) or not file.exists():
        return
    there = earlier_settings.as_now(flatten(plain(read_config(folder))))
    here = flatten(plain(cfg))
    keys = [k for k in differing_keys(there, here) if k in FIXED or not _is_changeable(k)]
    if not keys:
        return
    advice = "Choose another name=..., or remove the folder."
    if keys == ["name"]:
        advice = f"If its folder was renamed, write name: {cfg.name} into {file}. Otherwise: "
        advice += "choose another name=..., or remove the folder."
    elif all(key in PATHS for key in keys):
        advice = f"If the same files only moved, write their new path into {file}. Otherwise: "
        advice += "choose another name=..."
    raise InputError(
        f"the run folder {folder} belongs to a run with other settings "
        f"({settings_diff(there, here, keys)}). {advice}"
    )


def _is_changeable(key: str) -> bool:
    return any(key == name or key.startswith(name + ".") for name in CHANGEABLE)


def plain(cfg: DictConfig) -> Any:
    """A config as plain Python, interpolations resolved."""
    return OmegaConf.to_container(cfg, resolve=True)


def _refuse_other_encoder(folder: Path, fingerprint: Mapping[str, str]) -> None:
    if (folder / TEXT).exists() and (difference := text_difference(folder, fingerprint)):
        raise InputError(
            f"the run {folder} was trained with another text encoder ({difference}). Embed the "
            "captions with that encoder, or choose another name=..."
        )


def text_difference(folder: Path, fingerprint: Mapping[str, str], apart_from: Any = ()) -> str:
    """Which fields of the run's text encoder differ from these; empty if none do."""
    return encoder_difference(recorded_text(folder), fingerprint, apart_from)


def recorded_text(folder: Path) -> dict[str, Any]:
    """The fingerprint of the run's text encoder."""
    file = folder / TEXT
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} has no text.json, which every trained run has. Name a trained run's folder."
        )
    return dict(json_file.read(file, "Restore it from a copy of the run."))


def exists(folder: Path) -> bool:
    """Whether a run has claimed the folder."""
    return (folder / CONFIG).is_file()


def read_config(folder: Path) -> DictConfig:
    """The settings of a run."""
    if not exists(Path(folder)):
        raise FileNotFoundError(
            f"there is no run in {folder}. Train that stage first (make demo trains the demo's), "
            "or name the folder of another run."
        )
    file = Path(folder) / CONFIG
    settings: Any = None
    try:
        settings = OmegaConf.load(file)
    except OSError as error:
        if error.errno is not None:  # without a number it is OmegaConf's, about the content
            raise
    except (ValueError, YAMLError, RecursionError):  # an alias may hold itself
        pass
    if not isinstance(settings, DictConfig) or not OmegaConf.is_dict(settings.get("stage")):
        raise InputError(f"{file} is damaged: it holds no run's settings. Restore it from a copy.")
    return settings


def read_settings(folder: Path) -> dict[str, Any]:
    """The same as plain Python."""
    return plain(read_config(folder))


def build(folder: Path, key: str) -> Any:
    """The object that a run's config describes under a key: `stage`, `stage.condition`."""
    node = OmegaConf.select(read_config(folder), key)
    try:
        return config.build(node)
    except (InstantiationException, InputError) as error:
        cause = error if isinstance(error, InputError) else error.__cause__
        if not isinstance(cause, UserError | TypeError | ValueError | LookupError):
            raise
        reason = cause if isinstance(cause, UserError) else f"Its {key} cannot be built."
        if node is None:
            reason = f"It has no {key}."
        raise InputError(
            f"{folder / CONFIG} is from another version of imagen_lit. {reason} Train the run "
            "again with this one, or draw with the version that trained it."
        ) from error


def images_seen(folder: Path) -> int:
    """How many images a run has seen, by its newest good checkpoint."""
    newest = checkpoint.newest_good(folder)
    return 0 if newest is None else checkpoint.images(newest)


def weights(folder: Path, images: int | None = None) -> dict[str, Any]:
    """Which weights a run would draw with, the newest or those after so many images; the digest
    distinguishes runs of the same length, and `settings` what the run's config makes of them:
    network, schedule, prediction, condition."""
    file = checkpoint.good(folder, images)
    if file is None:
        return {"images_seen": 0, "digest": None, "settings": None}
    return {
        "images_seen": checkpoint.images(file),
        "digest": checkpoint_digest(file),
        "settings": _drawing_digest(folder),
    }


def _drawing_digest(folder: Path) -> str:
    stage = read_settings(folder)["stage"]
    settings = flatten({part: stage[part] for part in ("denoiser", "condition")})
    settings = {key: value for key, value in settings.items() if not _is_changeable(f"stage.{key}")}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def load_stage(folder: Path) -> Stage:
    """The trained stage of a run."""
    stage: Stage = build(folder, "stage")
    stage.load_state_dict(checkpoint.weights(_checkpoint(folder), stage))
    return stage.eval()


def load_ema(folder: Path, images: int | None = None) -> Denoiser:
    """The denoiser to draw with, the newest or that after so many images: the EMA alone, without
    the weights that it follows."""
    file, denoiser = _checkpoint(folder, images), build(folder, "stage.denoiser")
    denoiser.null_text = build(folder, "stage.condition").null_text
    weights = checkpoint.weights(file, denoiser, EMA)
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise InputError(
            f"{file} holds weights that are not finite numbers, with which nothing can be drawn: "
            f"its training diverged. {checkpoint.GO_ON}"
        )
    denoiser.load_state_dict(weights)
    drawing: Denoiser = denoiser.eval().requires_grad_(False)
    return drawing


def _checkpoint(folder: Path, images: int | None = None) -> Path:
    file = checkpoint.good(folder, images)
    if file is None:
        raise FileNotFoundError(
            f"the run {folder} has no checkpoint yet. Let python -m imagen_lit.train finish first."
        )
    return file
