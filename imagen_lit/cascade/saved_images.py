"""Images that a lower stage has drawn already, in the folder of an evaluation or of `sample`: a
cascade enlarges them as if it had drawn them itself.

A stage hands on whole grey levels (imagen_lit/cascade/cascade.py), as its PNG files hold them, so
the enlarged images are the same either way, and their files say the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagen_lit.basics import image_format, pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten, settings_diff
from imagen_lit.cascade.file_name import file_name
from imagen_lit.cascade.picture_edit import EDIT
from imagen_lit.cascade.rounding_facts import ROUNDING
from imagen_lit.cascade.start import Request
from imagen_lit.image_set.in_memory import InMemory
from imagen_lit.run import provenance

DRAWING = "images"  # the folder of an evaluation that has one for each digest


@dataclass(frozen=True)
class SavedImages:
    """`folder` has the files of `stage`; `cascade` is what drew them, each stage up to it, as their
    files say; `text` is the encoder's fingerprint."""

    folder: Path
    stage: str
    cascade: Mapping[str, Any]
    text: Mapping[str, Any]
    size: int
    rounding: Mapping[Request, Mapping[str, Any]] = field(default_factory=dict)  # of each image

    @classmethod
    def of(cls, folder: Path, stage: str, requests: Sequence[Request]) -> "SavedImages":
        """Those of a folder; refused unless all are there, and drawn alike."""
        images = _images(folder, stage)
        first: dict[str, Any] = {}
        rounding = {}
        for request in requests:
            facts = _read(_file(images, request), request, folder)
            rounding[request] = facts.get(ROUNDING, {})
            kinds = [
                {key: each[key] for key in ("cascade", "text")} for each in (first or facts, facts)
            ]
            if difference := settings_diff(*map(flatten, kinds)):
                raise InputError(
                    f"start_from={folder} has images of stage {stage!r} that were drawn otherwise "
                    f"than each other ({difference}). Choose another start_from=..., or draw them "
                    "again into one folder."
                )
            first = first or facts
        size = first["cascade"][stage]["size"]
        return cls(images, stage, first["cascade"], first["text"], size, rounding)

    def batch(self, requests: Sequence[Request]) -> Tensor:
        """Those of several requests, [B, 3, size, size] in [-1, 1]."""
        arrays = np.stack([image_format.load(_file(self.folder, each)) for each in requests])
        return pixels.to_signed(torch.from_numpy(arrays).movedim(-1, -3))

    def image_set(self, requests: Sequence[Request]) -> InMemory:
        """Those of the requests, to be measured."""
        return InMemory(pixels.to_array(self.batch(requests)), [prompt for prompt, _ in requests])

    def facts(self, request: Request) -> dict[str, Any]:
        """Nothing beyond `cascade`: the image is that of a cascade drawn whole."""
        return {}

    def refuse_other_text(self, fingerprint: Mapping[str, str]) -> None:
        """Raise unless they were drawn with this text encoder, as whole cascades are."""
        if difference := settings_diff(self.text, fingerprint):
            raise InputError(
                f"the images in {self.folder} were drawn with another text encoder ({difference}). "
                "Set text=... as they were drawn, or another start_from=..."
            )

    def described(self) -> dict[str, Any]:
        """What a folder of images records that were enlarged from these."""
        return {provenance.START: {"stage": self.stage, "cascade": dict(self.cascade)}}


def _images(folder: Path, stage: str) -> Path:
    """The folder of the stage's images: `sample` has it at the top, an evaluation below the digest
    of its newest record."""
    record = provenance.recorded(folder)
    tops = [folder] if record is None else [folder / DRAWING / provenance.digest(record), folder]
    for top in tops:
        if (top / stage).is_dir():
            return top / stage
    there = sorted({each.parent.name for top in tops for each in top.glob("*/*_seed*.*")})
    raise InputError(
        f"start_from={folder} has no images of stage {stage!r}"
        + (f", only of {', '.join(there)}" if there else "")
        + ". Set start_from=... to the folder of an evaluation or of samples that has drawn it."
    )


def _file(folder: Path, request: Request) -> Path:
    """Its image, in a format without loss."""
    files = [folder / file_name(*request, suffix) for suffix in image_format.SUFFIXES.values()]
    there = next((file for file in files if file.exists()), files[0])
    if there.suffix not in image_format.LOSSLESS:
        raise InputError(
            f"{there} is a JPEG, whose pixels are not those that were drawn. Draw it again with "
            "format=png or webp, and set start_from=... to that."
        )
    return there


def _read(file: Path, request: Request, folder: Path) -> dict[str, Any]:
    """What the file says of itself."""
    prompt, seed = request
    if not file.exists():
        raise InputError(
            f"start_from={folder} has no image of {prompt!r} with seed {seed} in {file.parent}. "
            "Set prompts that are there, or draw it there first."
        )
    facts = png_metadata.read(file) or {}
    if (facts.get("prompt"), facts.get("seed")) != request or "cascade" not in facts:
        raise InputError(
            f"{file} is damaged or does not say what drew it. Remove that file, and draw it again."
        )
    if EDIT in facts:
        raise InputError(
            f"start_from={folder} has {file.name}, which was edited, and what is enlarged from it "
            "would not say so. Set start_from=... to a folder of sample or evaluate."
        )
    return facts
