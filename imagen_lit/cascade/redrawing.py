"""`from=picture.png` of the commands that draw: the picture is drawn again from what its own file
says, and every pixel is compared."""

import io
import re
from collections.abc import Callable, Sequence

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder, device, image_format, process_share
from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError, RunError
from imagen_lit.cascade import redraw, true_start
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.picture_edit import EDIT
from imagen_lit.cascade.redraw import Picture
from imagen_lit.cascade.start import START
from imagen_lit.cli import config

OPEN = ("from", "runs", "out", "text", "device")  # settings that do not decide an image
Given = Callable[[Picture, Cascade], None]  # gives the cascade what the picture was drawn from


def from_prompts(picture: Picture, cascade: Cascade) -> None:
    """Nothing, or a true image to start from; what `edit` drew is refused."""
    if EDIT in picture.facts:
        raise InputError(
            f"from={picture.file} was drawn from another picture. Type python -m imagen_lit.edit "
            f"from={picture.file}"
        )
    if START in picture.facts:
        cascade.start = true_start.of(
            picture.facts, picture.request, cascade, f"from={picture.file}"
        )


def redrawing(cfg: DictConfig, give: Given = from_prompts, more: Sequence[str] = ()) -> None:
    """Draw it, write it if there is a folder for it, and say whether it is the same. `more`: the
    settings that a command takes beside those that all take."""
    if HydraConfig.initialized():
        refuse_other_settings(HydraConfig.get().overrides.task, (*OPEN, *more))
    cfg.device = process_share.own_device(cfg.device)
    device.allow_tf32(False)
    picture = Picture.of(arguments.path("from", cfg["from"]))
    folder = None if cfg.out is None else chosen_folder.of("out", cfg.out)
    if folder is not None:
        chosen_folder.require_writable("out", cfg.out, folder)
        picture.refuse_own_place(folder)
    cascade = picture.cascade(arguments.path("runs", cfg.runs))
    give(picture, cascade)
    content = picture.encoded(picture.draw(cascade, config.build(cfg.text)))
    if folder is not None:
        with atomic_write(folder / picture.file.name) as file:
            file.write(content)
        print(f"the new picture: {folder / picture.file.name}")
    before, now = image_format.load(picture.file), image_format.load(io.BytesIO(content))
    if words := redraw.difference(before, now):
        raise RunError(f"{picture.file} is not what was drawn again: {words}. {picture.reasons()}")
    print(
        f"{picture.file}: drawn again, all {before.shape[0] * before.shape[1]:,} pixels are equal"
    )


def refuse_other_settings(words: Sequence[str], allowed: Sequence[str] = OPEN) -> None:
    """Raise if a command line sets what the picture says itself."""
    for word in words:
        key = re.split(r"[=.]", word.lstrip("+~"))[0]
        if key not in allowed:
            raise InputError(
                f"{word} beside from=...: a picture is drawn again as its own file says, with no "
                f"other settings than {', '.join(allowed)}. Leave it out, or leave out from=..."
            )
