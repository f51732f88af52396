"""How the pictures in a folder were drawn, so that none is taken for a picture of another making.

`protocol.json` beside them holds two kinds of things. What somebody asked for (recipes, prompts,
the encoder): a start that asks for something else is refused. And which weights drew: when a run
has learnt on, its pictures are drawn anew.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from imagen_lit import run_folder
from imagen_lit.cascade import Cascade
from imagen_lit.data.aside import aside

WEIGHTS = "weights"


def of(cascade: Cascade, text: dict[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked for, and who draws it."""
    weights = {name: run_folder.weights(Path(step.run)) for name, step in cascade.steps.items()}
    return asked | {"text": text, WEIGHTS: weights}


def refuse_another(folder: Path, protocol: dict[str, Any]) -> None:
    """Raise if something else was asked for in this folder."""
    theirs, ours = _asked(_said(folder) or protocol), _asked(protocol)
    differing = [k for k in sorted({*theirs, *ours}) if theirs.get(k) != ours.get(k)]
    if differing:
        said = run_folder.told_apart(theirs, ours, differing)
        raise ValueError(
            f"{folder} holds pictures that were asked for in another way ({said}): type what was "
            "typed then, or choose another folder (name=... of evaluate, runs=... of demo), or "
            "remove this one"
        )


def only_of(folder: Path, protocol: dict[str, Any]) -> Path:
    """The folder's pictures, emptied of those drawn in another way or by other weights."""
    pictures = folder / "pictures"
    if _said(folder) != protocol:
        shutil.rmtree(pictures, ignore_errors=True)
        with aside(folder / "protocol.json") as file:
            file.write(json.dumps(protocol, indent=2, sort_keys=True).encode())
    return pictures


def _said(folder: Path) -> dict[str, Any] | None:
    file = folder / "protocol.json"
    return json.loads(file.read_text()) if file.exists() else None


def _asked(protocol: dict[str, Any]) -> dict[str, Any]:
    return run_folder.flat({k: v for k, v in protocol.items() if k != WEIGHTS})
