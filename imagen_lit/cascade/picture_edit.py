"""That a cascade draws from a picture (imagen_lit/cascade/edits.py), and what an image's file then
says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagen_lit.stage.edit import Edit

EDIT = "edit"  # the fact of what an image was drawn from
ORIGIN, LATER = "origin", "later"  # what the facts of an edit have besides, and decides no image


@dataclass(frozen=True)
class PictureEdit:
    """`stages`: the edit of each stage; `facts`: the kind of edit, its settings, and digests of the
    picture and the mask; `origin`: the files of both, and how the picture was fitted to the canvas.
    """

    stages: Mapping[str, Edit]
    facts: Mapping[str, Any]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def described(self, later: Mapping[str, Any]) -> dict[str, Any]:
        """All that an image's file says of it. `later`: the stages that the image itself has not
        gone through, but whose kernels have made the picture as small as it is."""
        later = {**later, **self.origin.get(LATER, {})}
        origin = {**self.origin, **({LATER: later} if later else {})}
        return {**self.facts, **({ORIGIN: origin} if self.origin else {})}
