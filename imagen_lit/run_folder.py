"""What a run leaves behind, both ways: the folder is the run, and its name is the run's name.

    config.yaml      the settings that claimed the folder; a start with others is refused
    checkpoints/     its states, tensors and numbers only (imagen_lit/checkpoint.py)
    metrics.jsonl    one JSON object a line; `images` is the clock. The truth; dashboards mirror it
    text.json        the fingerprint of the text encoder that the run learnt with
    status.json      how it stands: running, finished, failed, stopped, preempted (status.py)
    owner.json       under SLURM: which start of which job may write here (owner.py);
    owner.lock       elsewhere: held by the process that trains here

What the rows of metrics.jsonl may hold is METRICS. A score is [value, low, high]; `preview` names a
sheet of pictures in the folder; `skipped` lists keys of pictures.
"""

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from imagen_lit import checkpoint, door, status
from imagen_lit.data.aside import aside
from imagen_lit.stage.training import TIME_BINS, Stage

# What a run may change when it goes on: how long, on what, and who watches. Nothing that is learnt.
FREE: tuple[str, ...] = ("stage.images", "stage.patience", "trainer", "callbacks", "logger", "runs")
FREE += ("compile", "start_from", "plan", "notice", "data.workers", "data.keep_mib")
FREE += ("data.at_once", "network.checkpointing", "stage.denoiser.network.checkpointing")
BOUND = ("trainer.gradient_clip_val",)  # among these all the same

PLACES = ("data.shards", "data.text", "text.path")  # files may move while a run lasts

SHOWN = 8  # differing settings with their values; of more, the names alone

CATEGORIES = ("all", "one", "two", "count", "word")
METRICS: tuple[str, ...] = ("train/loss", "train/gradient", "train/skipped", "skipped", "preview")
METRICS += ("val/loss", *(f"val/loss_t{time}" for time in range(TIME_BINS)))
METRICS += tuple(f"score/alignment_{category}" for category in CATEGORIES)
METRICS += (  # imagen_lit/callbacks/health.py
    "health/text_gap",
    "health/shuffled_gap",
    "health/ema_lag",
    "health/lowres_error",
    "health/channel_drift",
)
METRICS += (  # imagen_lit/callbacks/speed.py
    "speed/images_per_second",
    "speed/data_wait",
    "speed/share_of_peak",
    "speed/memory_gib",
    "speed/hours_left",
)


def claim(folder: Path, cfg: DictConfig) -> None:
    """Make the folder this run's own, or refuse it to another run."""
    refuse_another(folder, cfg)
    _write(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(_plain(cfg))))


@rank_zero_only
def drop_void_claim(folder: Path) -> None:
    """A start that failed before anything was learnt binds nobody to its settings."""
    if _is_void(folder):
        (folder / "config.yaml").unlink(missing_ok=True)


def _is_void(folder: Path) -> bool:
    made = (folder / "metrics.jsonl").exists() or checkpoint.saved(folder)
    return status.read(folder).get("state") == "failed" and not made


def refuse_another(folder: Path, cfg: DictConfig) -> None:
    """Raise if a run with other settings has claimed the folder, and has not failed at once."""
    file = folder / "config.yaml"
    if not _is_void(folder) and file.exists():
        theirs, ours = flat(OmegaConf.to_container(OmegaConf.load(file))), flat(_plain(cfg))
        differing = [k for k in sorted({*theirs, *ours}) if theirs.get(k) != ours.get(k)]
        differing = [k for k in differing if k in BOUND or not _free(k)]
        if differing:
            said = told_apart(theirs, ours, differing)
            way = "choose another name=..., or remove the folder"
            if differing == ["name"]:
                way = f"if its folder was renamed, write name: {cfg.name} into {file}; else {way}"
            elif all(key in PLACES for key in differing):
                way = f"if the very same files only lie elsewhere now, write that into {file}; "
                way += "else choose another name=..."
            raise ValueError(
                f"the run folder {folder} belongs to a run with other settings ({said}): {way}"
            )


def told_apart(theirs: dict[str, Any], ours: dict[str, Any], differing: list[str]) -> str:
    """Every setting that differs, what a person types first; of many the names alone."""
    differing = sorted(differing, key=lambda key: (key.count("."), key))
    none = "not written down"
    said = "; ".join(
        f"{k} is {theirs.get(k, none)!r} there, {ours.get(k, none)!r} now"
        for k in differing[:SHOWN]
    )
    return "; and ".join(filter(None, [said, ", ".join(differing[SHOWN:])]))


def _free(key: str) -> bool:
    return any(key == free or key.startswith(free + ".") for free in FREE)


def _plain(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=True)


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
    none = "not written down"
    return "; ".join(
        f"{k} {theirs.get(k, none)} there, {fingerprint.get(k, none)} now" for k in differing
    )


def config(folder: Path) -> DictConfig:
    """The settings of a run."""
    file = Path(folder) / "config.yaml"
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no run in {folder}: expected a folder made by python -m imagen_lit.train; "
            "train that stage first"
        )
    return OmegaConf.load(file)  # type: ignore[return-value]


def settings(folder: Path) -> dict[str, Any]:
    """The same as plain Python."""
    return _plain(config(folder))


def images_seen(folder: Path) -> int:
    """How far a run has come, by its newest good state."""
    state = checkpoint.newest_good(folder)
    return 0 if state is None else checkpoint.images(state)


def weights(folder: Path) -> dict[str, Any]:
    """Which weights a run would draw with: two trainings of one length differ in the digest."""
    state = checkpoint.newest_good(folder)
    if state is None:
        return {"images_seen": 0, "digest": None}
    return {"images_seen": checkpoint.images(state), "digest": checkpoint.digest(state)}


def load(folder: Path) -> Stage:
    """The trained stage in a run folder; `.ema` is the denoiser to draw with."""
    stage: Stage = door.build(config(folder).stage)
    state = checkpoint.newest_good(folder)
    if state is None:
        raise FileNotFoundError(
            f"the run {folder} has no checkpoint yet: let python -m imagen_lit.train finish first"
        )
    stage.load_state_dict(checkpoint.read(state)["state_dict"])
    return stage.eval()


def start_from(stage: Stage, folder: Path) -> None:
    """Give a new stage the weights that another run would draw with; its clock stays at zero."""
    theirs = load(folder).ema.state_dict()
    ours = stage.denoiser.state_dict()
    differing = [
        key
        for key in sorted({*theirs, *ours})
        if key not in theirs or key not in ours or theirs[key].shape != ours[key].shape
    ]
    if differing:
        raise ValueError(
            f"start_from={folder} has another network: {len(differing)} weights differ, among "
            f"them {', '.join(differing[:3])}; compare network: in its config.yaml"
        )
    for denoiser in (stage.denoiser, stage.ema):
        denoiser.load_state_dict(theirs)


@rank_zero_only
def rewind(folder: Path, images: int, owed: bool = False) -> None:
    """Take back what was written down after the state that a run goes on from: it comes again. So
    does the validation at that very moment, where the state owes it."""
    file = Path(folder) / "metrics.jsonl"
    if not file.is_file():
        return
    again = images if owed else images + 1  # from here on a validation comes again
    rows = [row for row in _rows(file) if row["images"] <= images]
    rows = [row for row in rows if row["images"] < again or "val/loss" not in row]
    _write(file, "".join(json.dumps(row) + "\n" for row in rows))


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl in the order of images."""
    return sorted(_rows(Path(folder) / "metrics.jsonl"), key=lambda row: row["images"])


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text().splitlines() if file.is_file() else ():
        with suppress(json.JSONDecodeError):  # the last line of a run that was killed while writing
            yield json.loads(line)


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
            handle.flush()
            os.fsync(handle.fileno())  # a state that is on the disk has its rows there too


def _write(file: Path, text: str) -> None:
    with aside(file) as handle:
        handle.write(text.encode())


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}, as keys are typed."""
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        k: v
        for key, value in node.items()
        for k, v in flat(value, f"{prefix}.{key}".lstrip(".")).items()
    }
