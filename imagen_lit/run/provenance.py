"""How the images in a folder were drawn, so that none is taken for an image of another making.

`provenance.json` beside them holds two kinds of facts. What somebody asked for (recipes, prompts,
the encoder): a start that asks for something else is refused. And which weights drew them: when a
run has trained on since, its images are drawn anew.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.run import run_folder

FILE = "provenance.json"
WEIGHTS = "weights"


def describe(
    runs: Mapping[str, Path], text: Mapping[str, str], request: Mapping[str, Any]
) -> dict[str, Any]:
    """What is asked for, with which text encoder, and which weights draw it; `runs` by stage."""
    weights = {name: run_folder.weights(run) for name, run in runs.items()}
    return {**request, "text": dict(text), WEIGHTS: weights}


def refuse_other_request(folder: Path, provenance: dict[str, Any]) -> None:
    """Raise if the folder holds images that were asked for in another way."""
    recorded = _read(folder)
    if recorded is None:
        return
    if difference := settings_diff(_request(recorded), _request(provenance)):
        raise InputError(
            f"{folder} holds images that were asked for in another way ({difference}). Type what "
            "was typed then, choose another folder (name=... for evaluate, runs=... for demo), or "
            "remove this one."
        )


def image_folder(folder: Path, provenance: dict[str, Any]) -> Path:
    """The folder's images, emptied of those drawn in another way or by other weights."""
    images = folder / "images"
    if _read(folder) != provenance:
        shutil.rmtree(images, ignore_errors=True)
        write_json(folder / FILE, provenance)
    return images


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / FILE
    return json.loads(file.read_text()) if file.exists() else None


def _request(provenance: dict[str, Any]) -> dict[str, Any]:
    return flatten({k: v for k, v in provenance.items() if k != WEIGHTS})
