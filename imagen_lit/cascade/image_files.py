"""Prompts drawn into files: `<folder>/<stage>/<prompt>_seed<seed>.png`, or `.webp`, or `.jpg`.

What drew an image stands in its own file (imagen_lit/basics/png_metadata.py). A file is written
once: an image drawn otherwise under the same name is refused, before anything is drawn.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from imagen_lit.basics import image_format, pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.cascade import rounding_facts, stage_texts
from imagen_lit.cascade.cascade import NO_EDITS, Cascade
from imagen_lit.cascade.denoising_strip import DenoisingStrip
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import Report, Step, silent
from imagen_lit.cascade.file_name import file_name
from imagen_lit.cascade.picture_edit import EDIT, ORIGIN
from imagen_lit.cascade.rounding_facts import ROUNDING
from imagen_lit.cascade.start import START_OF
from imagen_lit.run import provenance
from imagen_lit.stage.threshold_hits import ThresholdHits
from imagen_lit.text.text_encoder import TextEncoder

THRESHOLD_HITS = "threshold_hits"  # the fact that lists them (imagen_lit/stage/threshold_hits.py)
BETWEEN = "between"  # the fact of which prompts an image lies between (imagen_lit/interpolate.py)
PNG = ".png"
Provenance = Mapping[str, Any]  # what `provenance.describe` gives: cascade, weights, text
Request = tuple[str, int]  # prompt and seed


def facts(cascade: Cascade, source: Provenance, stage: str, request: Request) -> dict[str, Any]:
    """All that decides an image, enough to draw it again. Later stages have no part in it."""
    every = {
        name: {
            "run": str(cascade.runs[name]),
            **source["weights"][name],
            "size": cascade.stages[name].size,
            "recipe": source["cascade"][name]["recipe"],
            **provenance.wording(source["cascade"][name]),
            **provenance.reference(source["cascade"][name]),
        }
        for name in cascade.stages
    }
    own = list(every).index(stage) + 1
    stages, later = dict([*every.items()][:own]), dict([*every.items()][own:])
    prompt, seed = request
    start, place = cascade.start, cascade.places.get(prompt)
    edited = {} if cascade.edit is None else {EDIT: cascade.edit.described(later)}
    between = {} if place is None else {BETWEEN: place.described()}
    return (
        {
            "prompt": prompt,
            "seed": seed,
            "stage": stage,
            "cascade": {**(start.cascade if start else {}), **stages},
            "text": source["text"],
        }
        | edited
        | between
        | (start.facts(request) if start else {})
    )


def missing(
    cascade: Cascade,
    source: Provenance,
    requests: Sequence[Request],
    folder: Path,
    suffix: str = PNG,
) -> list[Request]:
    """The requests that lack an image. One drawn otherwise under the same name is refused."""
    lacking: dict[Request, None] = {}
    for request in requests:
        files = paths(cascade, folder, *request, suffix)
        for stage, file in reversed(files.items()):  # the last knows of every difference
            if file.exists():
                _refuse_other_image(file, facts(cascade, source, stage, request))
            else:
                lacking[request] = None
    return list(lacking)


def draw(
    cascade: Cascade,
    encoder: TextEncoder,
    source: Provenance,
    requests: Sequence[Request],
    folder: Path,
    shape: DrawingPass,
    report: Report = silent,
    suffix: str = PNG,
    strip: DenoisingStrip | None = None,
) -> Iterator[tuple[str, int, dict[str, Path]]]:
    """Draw each (prompt, seed); yield it with {stage: file} as soon as its batch is finished."""
    cascade.check(encoder.fingerprint())
    cascade.give_empty_caption(encoder)
    for start in range(0, len(requests), shape.width):
        current = requests[start : start + shape.width]
        prompts, seeds = [prompt for prompt, _ in current], [seed for _, seed in current]

        def each_step(
            stage: str, number: int, prompts: list[str] = prompts, start: int = start
        ) -> None:
            if strip is not None:
                strip.step(stage, number)
            report(Step(stage, number, cascade.plan, prompts, start, len(requests)))

        each_step(next(iter(cascade.stages)), 0)
        condition = shape.condition(encoder, prompts)
        others = stage_texts.others(cascade.stages, shape, encoder, prompts)
        negatives = stage_texts.negatives(cascade.stages, shape, encoder)
        hits: defaultdict[str, ThresholdHits] = defaultdict(ThresholdHits)

        def each_estimate(
            stage: str, x: Tensor, hits: defaultdict[str, ThresholdHits] = hits
        ) -> None:
            hits[stage](x)
            if strip is not None:
                strip.estimate(x)

        small = cascade.start.batch(shape.fill(current)) if cascade.start else None
        observers = each_step, each_estimate
        edits = NO_EDITS if cascade.edit is None else cascade.edit.stages
        drawing = cascade.draw(
            condition, shape.fill(seeds), *observers, small, others, edits, negatives
        )
        rounding: dict[str, Any] = {}
        before = getattr(cascade.start, ROUNDING, {})
        for stage, images in drawing:
            template, device = cascade.stages[stage].prompt, condition.text.device
            rounding[stage] = rounding_facts.facts(shape, template, device, cascade.compiler)
            shares = hits[stage].by_image()
            for image, share, request in zip(
                pixels.to_array(images), shares, current, strict=False
            ):
                file = folder / stage / file_name(*request, suffix)
                if not file.exists():
                    known = facts(cascade, source, stage, request)
                    known[THRESHOLD_HITS] = [round(each, 5) for each in share]
                    known[ROUNDING] = before.get(request, {}) | rounding
                    texts = png_metadata.texts(known, request[0])
                    image_format.save(Image.fromarray(image), file, texts)
        if strip is not None:
            strip.write(folder, current)
        for prompt, seed in current:
            yield prompt, seed, paths(cascade, folder, prompt, seed, suffix)


def threshold_hits(files: Sequence[Path]) -> list[list[float]]:
    """How much the threshold did to each image, at each evaluation of the network; empty where a
    file does not say, as those of earlier versions do not."""
    hits = [(png_metadata.read(file) or {}).get(THRESHOLD_HITS) for file in files]
    return [each for each in hits if isinstance(each, list)] if all(hits) else []


def are_complete(
    cascade: Cascade, requests: Sequence[Request], folder: Path, suffix: str = PNG
) -> bool:
    """Whether each request has its images, whoever drew them."""
    files = (paths(cascade, folder, *request, suffix).values() for request in requests)
    return all(file.exists() for each in files for file in each)


def paths(
    cascade: Cascade, folder: Path, prompt: str, seed: int, suffix: str = PNG
) -> dict[str, Path]:
    """The paths of the images of all stages, whether they exist or not."""
    return {stage: folder / stage / file_name(prompt, seed, suffix) for stage in cascade.stages}


def _refuse_other_image(file: Path, here: dict[str, Any]) -> None:
    there = png_metadata.read(file)
    if there is None:
        raise InputError(
            f"{file} is damaged or does not say what drew it, as another program's would not. "
            "Choose another folder with out=..., or remove that file."
        )
    if difference := settings_diff(_decisive(there), _decisive(here)):
        raise InputError(
            f"{file} holds an image that was drawn otherwise ({difference}). "
            "Choose another folder with out=..., set what differs, or remove that file."
        )


def _decisive(facts: dict[str, Any]) -> dict[str, Any]:
    """What decides an image: neither the address of a run or a file nor, beyond rounding, a version
    does, and what was observed in drawing it follows from it."""
    return {
        key: value
        for key, value in flatten(facts).items()
        if not key.startswith((f"{png_metadata.VERSIONS}.", f"{ROUNDING}.", THRESHOLD_HITS))
        and not key.startswith((f"{EDIT}.{ORIGIN}.", f"{START_OF}."))
        and not key.endswith(".run")
    }
