"""Prompts drawn into files: `<folder>/<stage>/<prompt>_seed<seed>.png`."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from imagen_lit.basics import pixels
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_progress import Report, Step, silent
from imagen_lit.stage.condition import Condition
from imagen_lit.text.encoder import HuggingFace


def draw(
    cascade: Cascade,
    encoder: HuggingFace,
    requests: Sequence[tuple[str, int]],
    folder: Path,
    batch: int,
    report: Report = silent,
) -> Iterator[tuple[str, int, dict[str, Path]]]:
    """Draw each (prompt, seed); yield it with {stage: file} as soon as its batch is finished."""
    cascade.check(encoder.fingerprint())
    for start in range(0, len(requests), batch):
        current = requests[start : start + batch]
        prompts, seeds = [prompt for prompt, _ in current], [seed for _, seed in current]

        def each_step(
            stage: str, number: int, prompts: list[str] = prompts, start: int = start
        ) -> None:
            report(Step(stage, number, cascade.plan, prompts, start, len(requests)))

        each_step(next(iter(cascade.stages)), 0)
        condition = Condition(*encoder.encode(prompts))
        for stage, images in cascade.draw(condition, seeds, each_step):
            for image, (prompt, seed) in zip(pixels.to_array(images), current, strict=True):
                pixels.save_png(Image.fromarray(image), path(folder, stage, prompt, seed))
        for prompt, seed in current:
            yield prompt, seed, paths(cascade, folder, prompt, seed)


def paths(cascade: Cascade, folder: Path, prompt: str, seed: int) -> dict[str, Path]:
    """The paths of the images of all stages, whether they exist or not."""
    return {stage: path(folder, stage, prompt, seed) for stage in cascade.stages}


def path(folder: Path, stage: str, prompt: str, seed: int) -> Path:
    """An image is named after its prompt and its seed; if a file name cannot hold the whole prompt,
    a digest distinguishes it from others."""
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:80]
    if slug.replace("-", " ") != prompt:
        slug = f"{slug or 'other'}_{hashlib.sha256(prompt.encode()).hexdigest()[:8]}"
    return folder / stage / f"{slug}_seed{seed}.png"
