"""A picture is changed by a cascade, through all its stages.

What kind of change is an option of `conf/editing`. Images, their files and their folders are those
of `sample`: what drew an image stands in it, with the kind of change and digests of the picture and
the mask.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from imagen_lit.basics import arguments, chosen_folder, device, image_format
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import shorten
from imagen_lit.cascade import canvas, denoising_strip, excerpt, image_files, preset, typed_prompts
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.denoising_strip import DenoisingStrip
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cascade.picture_edit import EDIT
from imagen_lit.cascade.redraw import Picture as DrawnPicture
from imagen_lit.cascade.redrawing import redrawing
from imagen_lit.cli import command, config
from imagen_lit.editing import edit_record
from imagen_lit.editing.edit_record import Given
from imagen_lit.editing.picture import Picture
from imagen_lit.report import contact_sheet
from imagen_lit.run import drawing_folder, provenance
from imagen_lit.text import lost_text
from imagen_lit.text.text_encoder import TextEncoder


@command.main("edit")
def main(cfg: DictConfig) -> None:
    """Change the picture, once for each prompt and seed, and print where each image is."""
    if cfg["from"] is not None:
        redrawing(cfg, partial(_given_again, cfg), ("image", "mask"))
        return
    cfg = preset.typed("edit", cfg)
    arguments.whole_numbers(cfg, images=1, seed=0, batch=1, strip=0)
    arguments.path("runs", cfg.runs)
    device.allow_tf32(cfg.tf32)
    given = Picture.of(cfg.image, cfg.mask)
    prompts = _prompts(OmegaConf.to_container(cfg).get("prompts"), given)  # type: ignore[union-attr]
    requests = list(dict.fromkeys((p, cfg.seed + i) for p in prompts for i in range(cfg.images)))
    parts = excerpt.excerpt(cfg), cfg.text, cfg.editing
    cascade, encoder, editing = map(config.build, parts)
    cascade.compiler = cfg.compile
    cascade.require_runs()  # the first thing that a new user lacks
    picture = given.fitted(cascade, cfg.fit)
    settings: dict[str, Any] = OmegaConf.to_container(cfg.editing, resolve=True)  # type: ignore[assignment]
    image, mask = _files(cfg)
    assert image is not None  # Picture.of refuses that
    origin = edit_record.origin(image, mask, cfg.fit)
    plan = Given(picture, editing, settings, origin).give(cascade, requests)
    if words := canvas.announcement(cascade, *plan.shown.shape[:2]):
        print(words)
    draw(cfg, cascade, encoder, requests, plan.shown)


def draw(
    cfg: DictConfig,
    cascade: Cascade,
    encoder: TextEncoder,
    requests: Sequence[image_files.Request],
    given: np.ndarray | None = None,
) -> None:
    """Draw what is missing, and print where each image is; the sheet shows what was given, too."""
    suffix = image_format.suffix(cfg.format)
    chosen = None if cfg.out is None else chosen_folder.of("out", cfg.out)
    if chosen is not None:
        drawing_folder.refuse_taken(chosen, cfg.runs)
    cascade.check(encoder.fingerprint())
    described = {"cascade": OmegaConf.to_container(excerpt.excerpt(cfg), resolve=True)}
    source = provenance.describe(cascade.weights, encoder.fingerprint(), described)
    folder = chosen or _default_folder(cascade, source)
    chosen_folder.require_writable("out", folder, folder)
    lacking = set(image_files.missing(cascade, source, requests, folder, suffix))
    strip = DenoisingStrip(cfg.strip, cascade.plan) if cfg.strip else None
    if strip:
        lacking |= {each for each in requests if not denoising_strip.path(folder, each).exists()}
    to_draw = [request for request in requests if request in lacking]
    sheet = folder / "sheet.png"
    contact_sheet.refuse_other_file(sheet)
    cascade.load_weights()
    if cfg.preset is not None:
        print(f"preset {cfg.preset}: {preset.described(excerpt.excerpt(cfg))}")
    print(f"images go to {folder}")
    lost_text.warn(
        encoder, cascade.texts([end for each, _ in requests for end in _ends(cascade, each)])
    )
    progress = DrawingProgress()
    shape = DrawingPass.of(
        encoder, [prompt for prompt, _ in requests], cfg.batch, cascade.templates
    )
    drawn = image_files.draw(
        cascade, encoder, source, to_draw, folder, shape, progress.step, suffix, strip
    )
    for number, _ in enumerate(drawn):
        if number % shape.width == 0:  # all images of a batch are there with its first
            progress.count(number + shape.width, len(to_draw))
    files = [_largest(cascade, folder, request, suffix) for request in requests]
    for (prompt, seed), file in zip(requests, files, strict=True):
        note = "" if (prompt, seed) in to_draw else "already there: "
        print(f"{shorten(printable(prompt), 100) or '(without text)'} (seed {seed}): {note}{file}")
    if not cfg.out:
        facts = {} if cascade.edit is None else {EDIT: dict(cascade.edit.facts)}
        write_json(folder / provenance.FILE, source | facts)
    shown = None if given is None else Image.fromarray(given)
    print(f"all side by side, {contact_sheet.write(sheet, files, shown)}: {sheet}")
    if strip:
        print(f"how each came about: {folder / denoising_strip.FOLDER}")


def _given_again(cfg: DictConfig, drawn: DrawnPicture, cascade: Cascade) -> None:
    """Let the cascade draw from what this picture was drawn from."""
    if EDIT not in drawn.facts:
        raise InputError(
            f"from={drawn.file} was not drawn from a picture. Type python -m imagen_lit.sample "
            f"from={drawn.file}"
        )
    record = drawn.facts[EDIT]
    image, mask = _files(cfg)
    given = edit_record.read(record, f"from={drawn.file}", cascade, image, mask)
    given.give(cascade, [drawn.request])


def _files(cfg: DictConfig) -> tuple[Path | None, Path | None]:
    """The picture and the mask that are typed."""
    image, mask = (
        None if cfg[name] is None else arguments.path(name, cfg[name]) for name in ("image", "mask")
    )
    return image, mask


def _prompts(typed: Any, picture: Picture) -> list[str]:
    """Those typed, or that from which the picture itself was drawn."""
    if typed is not None:
        return typed_prompts.captions(typed)
    if picture.prompt is None:
        raise InputError(
            "the picture's file does not say what it shows, as those of sample do. Set "
            "prompts='[\"a red circle\"]', for example, or prompts='[\"\"]' for no text."
        )
    return [picture.prompt]


def _ends(cascade: Cascade, prompt: str) -> list[str]:
    """The prompts that the encoder reads for one: two, where it is a place between them."""
    place = cascade.places.get(prompt)
    return [place.first, place.second] if place else [prompt]


def _default_folder(cascade: Cascade, source: dict[str, Any]) -> Path:
    """In the run of the last stage, a folder for these weights, recipes, picture and editing."""
    facts = [provenance.digest(source), cascade.edit and dict(cascade.edit.facts)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return list(cascade.runs.values())[-1] / "edits" / digest


def _largest(cascade: Cascade, folder: Path, request: image_files.Request, suffix: str) -> Path:
    return list(image_files.paths(cascade, folder, *request, suffix).values())[-1]


if __name__ == "__main__":
    main()
