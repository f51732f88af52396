"""One prompt and one seed, over guidance weights and thresholds: the images of Imagen's figs. A.9
and A.10."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import Report, Step, silent
from imagen_lit.cli import config
from imagen_lit.run import provenance
from imagen_lit.text.text_encoder import TextEncoder

THRESHOLDS = ("static", "dynamic")


class Point(NamedTuple):
    """An image of the sheet: what to type after `sample` for it, and what draws it."""

    words: list[str]
    cascade: DictConfig
    provenance: dict[str, Any]
    folder: Path


def check(prompt: object, weights: object) -> None:
    """Refuse what is no caption, or no list of guidance weights."""
    if not isinstance(weights, list) or not weights or {*map(type, weights)} - {int, float}:
        raise InputError(
            f"guidance_weights={weights} is not a list of numbers. "
            "Set 'guidance_weights=[1,3,5]', for example."
        )
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError(
            f"guidance_prompt={prompt} is not a caption. Set "
            "'guidance_prompt=a red circle above a blue square', for example."
        )


def points(
    prompt: str,
    weights: Sequence[float],
    words: Sequence[str],
    folder: Path,
    encoder: TextEncoder,
) -> dict[str, list[Point]]:
    """A row for each threshold, a point for each weight. The name of each folder ends with the
    digest of the weights and the recipe that draw into it."""
    shared = [*words, f"prompts={json.dumps([prompt], ensure_ascii=False)}", "seed=0", "images=1"]
    cascade: Cascade = config.build(config.compose("sample", shared).cascade)
    source = provenance.describe(cascade.weights, encoder.fingerprint(), {})

    def point(threshold: str, weight: float) -> Point:
        recipe = [
            f"diffusion/threshold@cascade.base.recipe.threshold={threshold}",
            f"cascade.base.recipe.guidance.weight={weight}",
        ]
        cascade = config.compose("sample", [*shared, *recipe]).cascade
        this = source | {"cascade": OmegaConf.to_container(cascade, resolve=True)}
        out = folder / f"{threshold}_{weight:g}_{provenance.digest(this)}"
        return Point([*shared, *recipe, f"out={out}"], cascade, this, out)

    return {threshold: [point(threshold, weight) for weight in weights] for threshold in THRESHOLDS}


def draw(
    prompt: str, rows: Mapping[str, Sequence[Point]], encoder: TextEncoder, report: Report = silent
) -> tuple[dict[str, list[Path]], int]:
    """The files of each row, and how many of them were newly drawn."""
    total = sum(map(len, rows.values()))
    files: dict[str, list[Path]] = {threshold: [] for threshold in rows}
    new, shape = 0, DrawingPass.of(encoder, [prompt], 1)
    for threshold, row in rows.items():
        for point in row:
            cascade: Cascade = config.build(point.cascade)
            done = sum(map(len, files.values()))

            def step(each: Step, done: int = done) -> None:
                report(each._replace(done=done, total=total))

            source, folder = point.provenance, point.folder
            to_draw = image_files.missing(cascade, source, [(prompt, 0)], folder)
            drawing = image_files.draw(cascade, encoder, source, to_draw, folder, shape, step)
            new += len(list(drawing))
            files[threshold].append(
                list(image_files.paths(cascade, folder, prompt, 0).values())[-1]
            )
    return files, new
