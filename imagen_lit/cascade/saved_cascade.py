"""Where a cascade's stages and its text encoder are: in a folder that `export` wrote, or in the
runs that an option of conf/cascade names.

    cascade.json   the order of the stages, and the text encoder
    <stage>/       each stage (imagen_lit/run/exported_stage.py)
    text/          the text encoder's files, unless they were left out
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import json_file
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import excerpt, preset
from imagen_lit.cli import config, user_error
from imagen_lit.run import exported_stage, saved_stage, stage_json
from imagen_lit.text.text_encoder import TextEncoder

CASCADE = "cascade.json"
FORMAT = "imagen_lit cascade 1"
TEXT = "text"
AGAIN = "Export the cascade again."
# Settings of `sample` that are arguments of the call, or have no meaning without files.
OF_CALL = ("prompts", "seed", "images", "batch")
OF_FILES = ("from", "format", "strip", "start_from", "start_at", "out")


@dataclass(frozen=True)
class SavedCascade:
    """For each stage the arguments of its `TrainedStage`, and the encoder."""

    stages: dict[str, dict[str, Any]]
    encoder: TextEncoder
    compiler: str | None = None


def find(source: Any, settings: Sequence[str], device: str, precision: str) -> SavedCascade:
    """That of a folder, or of an option of conf/cascade; what is neither is refused."""
    if not isinstance(source, str | Path):
        raise InputError(
            f"{source!r} is no name of a cascade, and no folder. Name conf/cascade's demo, for "
            "example."
        )
    if (Path(source) / CASCADE).is_file():
        if settings:
            raise InputError(
                f"{source} has its own settings, and {settings[0]} cannot be added. Leave it out, "
                "or load an option of conf/cascade with cascade.<stage>.run=... of this folder."
            )
        return _of_folder(Path(source), device, precision)
    names = config.options("cascade")
    if str(source) not in names:
        raise InputError(
            f"{source} is neither a folder with {CASCADE}, which python -m imagen_lit.export "
            f"writes, nor one of {', '.join(names)}{did_you_mean(str(source), names)}. Name one of "
            "them."
        )
    return _of_runs(str(source), settings, device, precision)


def _of_runs(name: str, settings: Sequence[str], device: str, precision: str) -> SavedCascade:
    """As `sample` with these settings; the text encoder is that of the first run, unless the
    settings choose one."""
    own = [f"cascade={name}", f"device={device}", f"precision={precision}"]
    cfg = _composed([*own, *settings])
    _refuse_what_a_call_cannot(cfg)
    if cfg.preset is not None:
        cfg = preset.composed("sample", [*own, *settings])
    part = excerpt.excerpt(cfg)
    stages: dict[str, dict[str, Any]] = {
        each: {
            key: config.build(value) if isinstance(value, DictConfig) else value
            for key, value in part[each].items()
            if key != "_target_"
        }
        for each in excerpt.stages(part)
    }
    text: dict[str, Any] = OmegaConf.to_container(cfg.text, resolve=True)  # type: ignore[assignment]
    if stages and not any(setting.startswith("text") for setting in settings):
        first, stage = next(iter(stages.items()))
        saved = saved_stage.of(Path(stage["run"]))
        saved.require(first, stage["images"])
        text = saved.text() or text
    return SavedCascade(stages, config.build(_on(device, text)), cfg.compile)


def _composed(words: Sequence[str]) -> DictConfig:
    try:
        return config.compose("sample", words)
    except Exception as error:
        known = [*config.keys(OmegaConf.to_container(config.compose("sample", []), resolve=False))]
        if (sentence := user_error.sentence(error, lambda: known)) is None:
            raise
        raise InputError(sentence) from error


def _refuse_what_a_call_cannot(cfg: DictConfig) -> None:
    usual = config.compose("sample", [])
    for key in (*OF_CALL, *OF_FILES):
        if cfg[key] == usual[key]:
            continue
        if key in OF_CALL:
            raise InputError(
                f"{key}={cfg[key]} is no setting of a cascade, but of each call. Give it to the "
                f"call: cascade(..., {key}=...)."
            )
        raise InputError(
            f"{key}={cfg[key]} has no meaning for a cascade that is called, which writes no files. "
            "Leave it out, or draw with python -m imagen_lit.sample."
        )


def _of_folder(folder: Path, device: str, precision: str) -> SavedCascade:
    """What the folder says; each stage is checked as it is read."""
    file = folder / CASCADE
    there = json_file.read(file, AGAIN)
    names: Any = there.get("stages")
    text: Any = there.get("text")
    is_whole = isinstance(names, list) and names and isinstance(text, dict)
    if there.get("format") != FORMAT or not is_whole:
        raise InputError(
            f"{file} is no cascade that `export` wrote, or damaged: its format is "
            f"{there.get('format')!r}, not {FORMAT!r}, or its stages are missing. {AGAIN}"
        )
    stages = {}
    for name in map(str, names):
        if not name.isidentifier():
            raise InputError(f"{file} is damaged: {name!r} is the name of no stage. {AGAIN}")
        if not (folder / name / exported_stage.CONFIG).is_file():
            raise InputError(f"{folder} lacks its stage {name!r}: there is no {name}/. {AGAIN}")
        facts = exported_stage.read(folder / name / exported_stage.CONFIG)
        recipe = config.build({**facts["recipe"], "precision": precision})
        stages[name] = {"run": str(folder / name), "recipe": recipe}
        stages[name] |= {key: facts[key] for key in ("prompt", "negative")}
    stage_json.require_text(text, file)
    if (folder / TEXT).is_dir():
        text = {**text, "path": str(folder / TEXT)}
    return SavedCascade(stages, config.build(_on(device, text)))


def _on(device: str, text: dict[str, Any]) -> dict[str, Any]:
    """The node of a text encoder on that device, where it names one."""
    return {**text, "device": device} if "device" in text else text
