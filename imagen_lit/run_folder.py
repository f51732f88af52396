"""What a run leaves behind, both ways: the folder is the run, and its name is the run's name.

    config.yaml      the settings that claimed the folder; a start with others is refused
    last.ckpt        tensors and numbers only; opens under weights_only=True
    metrics.jsonl    one JSON object a line; `images` is the clock. The truth; dashboards mirror it
    text.json        the fingerprint of the text encoder that the run learnt with

Metric names: train/loss, val/loss, val/loss_t{0..9}, score/alignment.
"""

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from imagen_lit import door
from imagen_lit.data.aside import aside
from imagen_lit.stage.training import Stage

# What a run may change when it goes on: how long, on what, and who watches. Nothing that is learnt.
FREE = ("stage.images", "trainer", "callbacks", "logger", "runs", "data.workers", "data.keep_mib")


def claim(folder: Path, cfg: DictConfig) -> None:
    """Make the folder this run's own, or refuse it to another run."""
    wanted = OmegaConf.to_container(cfg, resolve=True)
    file = folder / "config.yaml"
    if file.exists():
        theirs, ours = _flat(OmegaConf.to_container(OmegaConf.load(file))), _flat(wanted)
        differing = [k for k in sorted({*theirs, *ours}) if theirs.get(k) != ours.get(k)]
        differing = [k for k in differing if not any(k == f or k.startswith(f + ".") for f in FREE)]
        if differing:
            said = "; ".join(
                f"{k} is {theirs.get(k)!r} there, {ours.get(k)!r} now" for k in differing[:4]
            )
            raise ValueError(
                f"the run folder {folder} belongs to a run with other settings ({said}): "
                f"choose another name=..., or remove the folder"
            )
    _write(file, OmegaConf.to_yaml(OmegaConf.create(wanted)))


def remember_text(folder: Path, fingerprint: Mapping[str, str]) -> None:
    """Keep what the text sidecars said of their encoder, so that sampling can ask for the same."""
    file = folder / "text.json"
    if file.exists() and json.loads(file.read_text()) != dict(fingerprint):
        differing = text_difference(folder, fingerprint)
        raise ValueError(
            f"the run {folder} learnt with another text encoder: {differing}; embed the "
            "captions with that encoder, or choose another name=..."
        )
    _write(file, json.dumps(dict(fingerprint), indent=2, sort_keys=True))


def text_difference(folder: Path, fingerprint: Mapping[str, str]) -> str:
    """Which fields of the run's text encoder differ from these; empty where all agree."""
    file = folder / "text.json"
    if not file.is_file():
        raise FileNotFoundError(f"{folder} has no text.json: is it the folder of a trained run?")
    theirs = json.loads(file.read_text())
    differing = [k for k in sorted({*theirs, *fingerprint}) if theirs.get(k) != fingerprint.get(k)]
    return "; ".join(f"{k} {theirs.get(k)} there, {fingerprint.get(k)} now" for k in differing)


def config(folder: Path) -> DictConfig:
    """The settings of a run."""
    file = Path(folder) / "config.yaml"
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no run in {folder}: expected a folder made by python -m imagen_lit.train; "
            "train that stage first"
        )
    return OmegaConf.load(file)


def checkpoint(folder: Path) -> Path | None:
    """The newest state of a run, None before there is any."""
    file = Path(folder) / "last.ckpt"
    return file if file.is_file() else None


def images_seen(folder: Path) -> int:
    """How far a run has come."""
    file = checkpoint(folder)
    return 0 if file is None else int(_read(file)["state_dict"]["images_seen"])


def load(folder: Path) -> Stage:
    """The trained stage in a run folder; `.ema` is the denoiser to draw with."""
    stage: Stage = door.build(config(folder).stage)
    file = checkpoint(folder)
    if file is None:
        raise FileNotFoundError(
            f"the run {folder} has no last.ckpt yet: let python -m imagen_lit.train finish first"
        )
    stage.load_state_dict(_read(file)["state_dict"])
    return stage.eval()


def metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.jsonl, the last word where a resumed run repeats itself."""
    file = Path(folder) / "metrics.jsonl"
    rows: dict[tuple[Any, ...], dict[str, float]] = {}
    for line in file.read_text().splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # the last line of a run that was killed while writing
            continue
        rows[(row["images"], *sorted(row))] = row
    return sorted(rows.values(), key=lambda row: row["images"])


class Journal(Logger):
    """Writes metrics.jsonl, a line at a time, so that a kill loses at most the line it cuts."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.file = Path(folder) / "metrics.jsonl"

    @property
    def name(self) -> str:
        return self.file.parent.name

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Nothing: config.yaml holds them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = {k: v for k, v in metrics.items() if k not in ("epoch", "step")}
        if "images" in row:
            self.write(row | {"images": int(row["images"])})

    @rank_zero_only
    def write(self, row: Mapping[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as handle:
            handle.write(json.dumps(row) + "\n")


def _read(file: Path) -> dict[str, Any]:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"the checkpoint {file} cannot be read ({type(error).__name__}): it is damaged; "
            "remove it and train again"
        ) from error


def _write(file: Path, text: str) -> None:
    with aside(file) as handle:
        handle.write(text.encode())


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        k: v
        for key, value in node.items()
        for k, v in _flat(value, f"{prefix}.{key}".lstrip(".")).items()
    }
