"""What the file of an edited picture says of its edit, under `edit`, and that edit once more: the
kind with its settings, digests of what was given, and where the files of that are.

    {"image": "4be1…", "mask": "90ac…", "settings": {"_target_": "imagen_lit.editing.….Repaint", …},
     "origin": {"image": {"path": "photo.png", "sha256": "…"}, "mask": {…}, "fit": "exact"}}
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import foreign_part
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.picture_edit import ORIGIN, PictureEdit
from imagen_lit.cascade.start import Request, Start
from imagen_lit.editing.editing import Editing, Plan
from imagen_lit.editing.picture import Picture

KINDS = ("imagen_lit.editing.", "imagen_lit.diffusion.jumps.Jumps")
IMAGE, MASK, FIT, SETTINGS = "image", "mask", "fit", "settings"


@dataclass(frozen=True)
class Given:
    """`picture`, as large as the cascade is to take it; `settings` are the node of `editing`;
    `origin` says where the picture is from."""

    picture: Picture
    editing: Editing
    settings: Mapping[str, Any]
    origin: Mapping[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """What decides an image."""
        return {**self.picture.facts, SETTINGS: self.settings}

    def give(self, cascade: Cascade, requests: Sequence[Request]) -> Plan:
        """Let the cascade draw from it."""
        plan = self.editing.plan(cascade, self.picture)
        cascade.edit = PictureEdit(plan.edits, self.facts, self.origin)
        if plan.start is not None:
            cascade.start = Start({request: plan.start[0] for request in requests})
        return plan


def origin(image: Path, mask: Path | None, fit: str = "exact") -> dict[str, Any]:
    """The files as they are now."""
    files = {IMAGE: image} | ({} if mask is None else {MASK: mask})
    return {name: _described(file) for name, file in files.items()} | {FIT: fit}


def read(
    record: Mapping[str, Any],
    file: str,
    cascade: Cascade,
    image: Path | None = None,
    mask: Path | None = None,
) -> Given:
    """What was given to the picture that `file` names in words, and whose record this is. `image`
    and `mask` are where those files are now, if they are elsewhere."""
    try:
        if ORIGIN not in record:
            raise InputError(
                f"{file} does not say which picture it was drawn from, as an earlier version left "
                "it. Draw it again by the command that drew it."
            )
        known = record[ORIGIN]
        if mask is not None and MASK not in known:
            raise InputError(f"{file} was drawn without a mask. Leave mask=... out.")
        image = _same(IMAGE, known[IMAGE], image, file)
        mask = _same(MASK, known[MASK], mask, file) if MASK in known else None
        editing = foreign_part.build(record[SETTINGS], KINDS, "an edit", file)
        picture = Picture.of(str(image), None if mask is None else str(mask))
        picture = picture.fitted(cascade, known[FIT])
        if picture.facts != {name: record[name] for name in (IMAGE, MASK) if name in record}:
            raise InputError(
                f"{file} was drawn from other pixels than {image} has, as this version reads it. "
                "Draw it again by the command that drew it."
            )
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged: it does not say which edit drew it. Open another picture."
        ) from error
    return Given(picture, editing, record[SETTINGS], known)


def _described(file: Path) -> dict[str, str]:
    return {"path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _same(name: str, known: Mapping[str, str], here: Path | None, file: str) -> Path:
    """The file of what was given, which is still what it was."""
    place = Path(known["path"]) if here is None else here
    if not place.is_file():
        raise InputError(
            f"{file} was drawn from the {name} {place}, which is not there any more. Set "
            f"{name}=... to where it is now; its sha256 is {known['sha256']}."
        )
    digest = _described(place)["sha256"]
    if digest != known["sha256"]:
        raise InputError(
            f"{file} was drawn from the {name} with the sha256 {known['sha256'][:12]}…, and "
            f"{place} has {digest[:12]}… now. Set {name}=... to the file as it was."
        )
    return place
