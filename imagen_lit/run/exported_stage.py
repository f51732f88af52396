"""A stage as `export` writes it, for people who only draw: the EMA in a file of tensors, and what
it is in JSON.

    model.safetensors   the weights of the denoiser, by their names
    config.json         its parts, size, recipe and text encoder, which weights these are, and the
                        SHA-256 of the other file

A folder is written whole, or not at all; `config.json` is the last.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import checkpoint, stage_json
from imagen_lit.run.encoder_difference import encoder_difference
from imagen_lit.stage.denoiser import Denoiser

CONFIG, MODEL = "config.json", "model.safetensors"
FORMAT = "imagen_lit stage 1"
KEYS: tuple[str, ...] = ("denoiser", "condition", "size", "recipe", "prompt", "negative")
KEYS += ("text", "weights", "sha256")
AGAIN = "Export the cascade again."


class ExportedStage:
    """What is in such a folder; the config is read and checked at once, the weights when asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read(folder / CONFIG)

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether the folder claims to be one."""
        return (folder / CONFIG).is_file() and not (folder / "unet").exists()

    def require(self, name: str, images: int | None) -> None:
        """Raise if the weights are not there, or others were chosen."""
        there = self.config["weights"].get("images_seen")
        if images not in (None, there):
            raise InputError(
                f"cascade.{name}.images={images}: {self.folder} was exported after {there} images "
                f"and has no other weights. Set cascade.{name}.images=null."
            )
        if not (self.folder / MODEL).is_file():
            raise InputError(f"{self.folder} has no {MODEL}, the stage's weights. {AGAIN}")

    def settings(self) -> dict[str, Any]:
        """Of its config.json."""
        return {key: self.config[key] for key in ("denoiser", "condition", "size")}

    def size(self) -> int:
        """The edge of the images that it draws."""
        size: int = self.config["size"]
        return size

    def condition(self) -> Any:
        """What it was trained to draw from."""
        return config.build(self.config["condition"])

    def denoiser(self, images: int | None) -> Denoiser:
        """Its weights, which are refused if they are not those that were written."""
        file = self.folder / MODEL
        self.require(self.folder.name, images)
        if _sha256(file) != self.config["sha256"]:
            raise InputError(f"{file} is damaged: it is not what was exported. {AGAIN}")
        denoiser: Denoiser = config.build(self.config["denoiser"])
        denoiser.null_text = self.condition().null_text
        try:
            weights = load_file(file)
        except SafetensorError as error:
            raise InputError(f"{file} is damaged ({error}). {AGAIN}") from error
        if differing := checkpoint.differing_weights(denoiser, weights):
            raise InputError(
                f"{file} does not fit its {CONFIG}: {len(differing)} weights differ, among them "
                f"{', '.join(differing[:3])}. {AGAIN}"
            )
        denoiser.load_state_dict(weights)
        drawing: Denoiser = denoiser.eval().requires_grad_(False)
        return drawing

    def weights(self, images: int | None) -> dict[str, Any]:
        """Which weights these are: what the run said of them."""
        facts: dict[str, Any] = self.config["weights"]
        return facts

    def text_difference(self, fingerprint: dict[str, str]) -> str:
        """How its text encoder differs from this one; empty if it does not."""
        return encoder_difference(self.config["text"], fingerprint)

    def text(self) -> None:
        """The folder of the cascade has its text encoder."""

    def text_fingerprint(self) -> dict[str, str]:
        """Of the encoder that it was trained with."""
        there: dict[str, str] = self.config["text"]
        return there


def write(folder: Path, denoiser: Denoiser, facts: Mapping[str, Any]) -> None:
    """Write the stage; `facts` are those of `KEYS`, without the digest of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    part, file = folder / f".{MODEL}.part", folder / MODEL
    tensors = {name: each.cpu().contiguous() for name, each in denoiser.state_dict().items()}
    try:
        save_file(tensors, part, metadata={"format": "pt"})
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    write_json(folder / CONFIG, {"format": FORMAT, **facts, "sha256": _sha256(file)})


def read(file: Path) -> dict[str, Any]:
    """A stage's config.json; raise unless it is one, and names nothing but parts of a stage."""
    there = json_file.read(file, AGAIN)
    if there.get("format") != FORMAT:
        raise InputError(
            f"{file} is no stage that `export` wrote: its format is {there.get('format')!r}, not "
            f"{FORMAT!r}. Set the folder of a run, of an export, or of a stage of DeepFloyd IF."
        )
    if lacking := [key for key in KEYS if key not in there]:
        raise InputError(f"{file} is damaged: it lacks {', '.join(lacking)}. {AGAIN}")
    if not all(isinstance(there[key], dict) for key in ("weights", "text")):
        raise InputError(f"{file} is damaged: its weights or its text are no facts. {AGAIN}")
    stage_json.require_stage(there, file)
    return there


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
