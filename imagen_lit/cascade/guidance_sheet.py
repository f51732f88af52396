"""One prompt and one seed, over guidance weights and thresholds: the images of Imagen's figs. A.9
and A.10."""

import json
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from imagen_lit.cascade import image_files
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_progress import Report, Step, silent
from imagen_lit.cli import config
from imagen_lit.run import provenance

THRESHOLDS = ("static", "dynamic")


def overrides(
    prompt: str, weights: Sequence[float], words: Sequence[str], folder: Path
) -> dict[str, list[list[str]]]:
    """For each threshold, what to type after `sample` for the image of each weight. The name of
    each folder ends with the digest of the weights and the recipe that draw into it."""
    shared = [*words, f"prompts={json.dumps([prompt], ensure_ascii=False)}", "seed=0", "images=1"]
    sample = config.compose("sample", shared)
    text = config.build(sample.text).fingerprint()
    source = provenance.describe(config.build(sample.cascade).runs, text, {})

    def complete(threshold: str, weight: float) -> list[str]:
        recipe = [
            f"diffusion/threshold@cascade.base.recipe.threshold={threshold}",
            f"cascade.base.recipe.guidance.weight={weight}",
        ]
        cascade = config.compose("sample", [*shared, *recipe]).cascade
        recipes = OmegaConf.to_container(cascade, resolve=True)
        digest = provenance.digest(source | {"cascade": recipes})
        return [*shared, *recipe, f"out={folder / f'{threshold}_{weight:g}_{digest}'}"]

    return {
        threshold: [complete(threshold, weight) for weight in weights] for threshold in THRESHOLDS
    }


def draw(
    prompt: str, rows: dict[str, list[list[str]]], report: Report = silent
) -> tuple[dict[str, list[Path]], int]:
    """The files of each row, and how many of them were newly drawn."""
    total = sum(map(len, rows.values()))
    sample = config.compose("sample", next(iter(rows.values()))[0])
    encoder = config.build(sample.text)
    source = provenance.describe(config.build(sample.cascade).runs, encoder.fingerprint(), {})
    files: dict[str, list[Path]] = {threshold: [] for threshold in rows}
    new = 0
    for threshold, row in rows.items():
        for words in row:
            sample = config.compose("sample", words)
            recipes = OmegaConf.to_container(sample.cascade, resolve=True)
            cascade: Cascade = config.build(sample.cascade)
            this, folder = source | {"cascade": recipes}, Path(sample.out)
            done = sum(map(len, files.values()))

            def step(each: Step, done: int = done) -> None:
                report(each._replace(done=done, total=total))

            to_draw = image_files.missing(cascade, this, [(prompt, 0)], folder)
            drawn = image_files.draw(cascade, encoder, this, to_draw, folder, 1, step)
            new += len(list(drawn))
            files[threshold].append(
                list(image_files.paths(cascade, folder, prompt, 0).values())[-1]
            )
    return files, new
