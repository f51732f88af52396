"""Room beside the picture, drawn to go with it: outpainting, other aspect ratios, uncropping
(Palette: Saharia et al. 2022)."""

from dataclasses import dataclass

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import canvas, edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.editing.editing import Plan, refuse_mask, shown
from imagen_lit.editing.picture import Picture
from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class Outpaint:
    """How much room on each side, as a share of the picture's width or height."""

    left: float
    right: float
    top: float
    bottom: float
    jumps: Jumps

    def __post_init__(self) -> None:
        for name in ("left", "right", "top", "bottom"):
            arguments.number(f"editing.{name}", getattr(self, name), 0)
        if not any((self.left, self.right, self.top, self.bottom)):
            raise InputError(
                "there is no room beside the picture to draw in. Set editing.right=0.5, for "
                "example."
            )

    def plan(self, cascade: Cascade, picture: Picture) -> Plan:
        """The edit of each stage, on the larger canvas."""
        refuse_mask(picture)
        wider = self.on_canvas(picture)
        height, width = wider.image.shape[:2]
        canvas.refuse_misfit(cascade, height, width, "choose shares of room that make it so")
        own = edits.edits_of(cascade, wider.tensor, wider.hole_tensor, Edit(jumps=self.jumps))
        return Plan(own, shown(wider))

    def on_canvas(self, picture: Picture) -> Picture:
        """The picture with its room, which is the hole."""
        height, width = picture.image.shape[:2]
        rows = round(self.top * height), round(self.bottom * height)
        columns = round(self.left * width), round(self.right * width)
        if not any((*rows, *columns)):
            raise InputError(
                f"the room beside a picture of {width} x {height} pixels is less than one pixel. "
                "Set editing.right=0.5, for example."
            )
        image = np.pad(picture.image, (rows, columns, (0, 0)))
        hole = np.pad(np.zeros((height, width), bool), (rows, columns), constant_values=True)
        return Picture(image, hole, picture.prompt)
