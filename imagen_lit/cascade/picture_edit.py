"""That a cascade draws from a picture (imagen_lit/cascade/edits.py), and what an image's file then
says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class PictureEdit:
    """`stages`: the edit of each stage; `facts`: the kind of edit, its settings, and digests of the
    picture and the mask."""

    stages: Mapping[str, Edit]
    facts: Mapping[str, Any]
