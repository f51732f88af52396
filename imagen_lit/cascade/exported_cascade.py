"""Write a cascade as imagen_lit/cascade/saved_cascade.py reads it. `cascade.json` comes last, so
that a folder which has it is whole."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import saved_cascade
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.run import exported_stage, stage_json
from imagen_lit.text.text_encoder import TextEncoder


def write(
    folder: Path,
    cascade: Cascade,
    encoder: TextEncoder,
    recipes: Mapping[str, Any],
    text: Any,
    with_text: bool,
) -> None:
    """Every stage with its recipe, and the encoder's node `text`, with its files if asked."""
    stage_json.require_text(text, "the config's text")
    for name, stage in cascade.stages.items():
        if stage.guide.is_chosen:
            raise InputError(
                f"stage {name!r} has another network as its guide, which an exported folder does "
                f"not hold. Leave out cascade.{name}.guide.*."
            )
    for name, stage in cascade.stages.items():
        facts = {
            **stage.saved.settings(),
            "recipe": recipes[name],
            "prompt": stage.prompt,
            "negative": stage.negative,
            "text": encoder.fingerprint(),
            "weights": stage.saved.weights(stage.images),
        }
        stage_json.require_stage(facts, f"stage {name!r}")
        exported_stage.write(folder / name, stage.denoiser, facts)
        del stage.__dict__["denoiser"]  # a large one need not wait in memory for the others
    if with_text and text.get("path") is not None:
        shutil.copytree(text["path"], folder / saved_cascade.TEXT, dirs_exist_ok=True)
    content = {"format": saved_cascade.FORMAT, "stages": list(cascade.stages), "text": text}
    write_json(folder / saved_cascade.CASCADE, content)
