"""Prompts become images, through every stage of a cascade.

An image's file holds what drew it. A file is written once: the same command again draws only what
is missing, and what draws otherwise has another folder. Several processes (srun, torchrun) share
the images of one command.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics import arguments, chosen_folder, device, image_format, process_share
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity, shorten
from imagen_lit.cascade import (
    denoising_strip,
    excerpt,
    image_files,
    preset,
    typed_prompts,
)
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.denoising_strip import DenoisingStrip
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cascade.redrawing import redrawing
from imagen_lit.cascade.saved_images import SavedImages
from imagen_lit.cli import command, config
from imagen_lit.report import contact_sheet
from imagen_lit.run import drawing_folder, provenance
from imagen_lit.text import lost_text

LOCK = ".sheet.lock"  # held by the process that writes the sheet
MOST = 1_000_000  # images of a call: a list of them is made before any is drawn


@command.main("sample")
def main(cfg: DictConfig) -> None:
    """Draw the prompts and print where each image is."""
    cfg = preset.typed("sample", cfg)
    if cfg["from"] is not None:
        redrawing(cfg)
        return
    share = process_share.here()
    typed = OmegaConf.to_container(cfg).get("prompts")  # type: ignore[union-attr]
    prompts = typed_prompts.captions(typed, share.processes)
    arguments.whole_numbers(cfg, images=1, seed=0, batch=1, strip=0)
    suffix = image_format.suffix(cfg.format)
    if cfg.seed + cfg.images > arguments.LARGEST:
        raise InputError(
            f"seed={cfg.seed} is too large for images={cfg.images}: the seed of the last image is "
            "not below 2^62. Set seed=0, for example."
        )
    if len(prompts) * cfg.images > MOST:
        raise InputError(
            f"images={cfg.images} for each of {quantity(len(prompts), 'prompt')} is more than "
            f"{MOST:,} in all. Set images={MOST // len(prompts)} or less, and then seed=... for "
            "the next ones."
        )
    arguments.path("runs", cfg.runs)
    cfg.device = process_share.own_device(cfg.device)
    device.allow_tf32(cfg.tf32)
    chosen = None if cfg.out is None else chosen_folder.of("out", cfg.out)
    if chosen is not None:
        drawing_folder.refuse_taken(chosen, cfg.runs)
    requests = list(dict.fromkeys((p, cfg.seed + i) for p in prompts for i in range(cfg.images)))
    part = excerpt.excerpt(cfg)
    cascade, encoder = config.build(part), config.build(cfg.text)
    cascade.compiler = cfg.compile
    cascade.require_runs()  # the first thing that a new user lacks
    described = {"cascade": OmegaConf.to_container(part, resolve=True)}
    if saved := excerpt.saved(cfg):
        cascade.start = SavedImages.of(*saved, requests)
        described |= cascade.start.described()
    cascade.check(encoder.fingerprint())
    source = provenance.describe(cascade.weights, encoder.fingerprint(), described)
    folder = chosen or _default_folder(cascade, source)
    chosen_folder.require_writable("out", folder, folder)
    lacking = set(image_files.missing(cascade, source, requests, folder, suffix))
    strip = DenoisingStrip(cfg.strip, cascade.plan) if cfg.strip else None
    if strip:
        lacking |= {each for each in requests if not denoising_strip.path(folder, each).exists()}
    own = share.of(requests)
    to_draw = [request for request in own if request in lacking]
    sheet = folder / "sheet.png"
    contact_sheet.refuse_other_file(sheet)
    if to_draw:
        cascade.load_weights()
    if cfg.preset is not None:
        print(f"preset {cfg.preset}: {preset.described(part)}")
    print(f"images go to {folder}{_of_several(own, share)}")
    for request in own:
        if request not in lacking:
            _print_image(_largest(cascade, folder, request, suffix), request, "already there: ")
    lost_text.warn(encoder, cascade.texts(prompts))
    progress = DrawingProgress()
    captions = [prompt for prompt, _ in requests]
    shape = DrawingPass.of(encoder, captions, cfg.batch, cascade.templates)
    drawn = image_files.draw(
        cascade, encoder, source, to_draw, folder, shape, progress.step, suffix, strip
    )
    with process_share.working(folder, share) if to_draw else nullcontext():
        for number, (prompt, seed, files) in enumerate(drawn):
            if number % shape.width == 0:  # all images of a batch are there with its first
                progress.count(number + shape.width, len(to_draw))
            _print_image(list(files.values())[-1], (prompt, seed))
    if not image_files.are_complete(cascade, requests, folder, suffix):
        print("this process's images are drawn; the last process to end writes the sheet of all")
        return
    with process_share.finishing(folder / LOCK) as is_first:
        if is_first:
            if not cfg.out:
                write_json(folder / provenance.FILE, source)
            shown = [_largest(cascade, folder, request, suffix) for request in requests]
            print(f"all side by side, {contact_sheet.write(sheet, shown)}: {sheet}")
            if strip:
                print(f"how each came about: {folder / denoising_strip.FOLDER}")


def _of_several(own: Sequence[Any], share: process_share.Share) -> str:
    if share.processes == 1:
        return ""
    return f"; {len(own)} of them by this process, {share.rank + 1} of {share.processes}"


def _default_folder(cascade: Cascade, source: dict[str, Any]) -> Path:
    """In the run of the last stage, a folder for these weights, recipes and this encoder."""
    return list(cascade.runs.values())[-1] / "samples" / provenance.digest(source)


def _largest(cascade: Cascade, folder: Path, request: image_files.Request, suffix: str) -> Path:
    return list(image_files.paths(cascade, folder, *request, suffix).values())[-1]


def _print_image(file: Path, request: image_files.Request, note: str = "") -> None:
    prompt = printable(" ".join(request[0].split())) or "(without text)"
    print(f"{shorten(prompt, 100)} (seed {request[1]}): {note}{file}")


if __name__ == "__main__":
    main()
