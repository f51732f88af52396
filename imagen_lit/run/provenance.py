"""How the images in a folder were drawn, so that images drawn differently are never mixed up.

`provenance.json` beside them holds two kinds of facts. What was requested (recipes, prompts, the
encoder): a start that requests something else is refused. And which weights drew them: if a run has
been trained further since, its images are redrawn.
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
    """What is requested, with which text encoder, and which weights draw it; `runs` by stage."""
    weights = {name: run_folder.weights(run) for name, run in runs.items()}
    return {**request, "text": dict(text), WEIGHTS: weights}


def refuse_other_request(folder: Path, provenance: dict[str, Any]) -> None:
    """Raise if the folder holds images of another request."""
    recorded = _read(folder)
    if recorded is None:
        return
    if difference := settings_diff(_request(recorded), _request(provenance)):
        raise InputError(
            f"{folder} holds images that were drawn with other settings ({difference}). Set those, "
            "choose another folder (name=... for evaluate, runs=... for demo), or remove this one."
        )


def image_folder(folder: Path, provenance: dict[str, Any]) -> Path:
    """The folder of the images, emptied if they were drawn differently or by other weights."""
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
