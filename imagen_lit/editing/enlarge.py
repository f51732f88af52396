"""A small picture of any origin, enlarged by the super-resolution stages (SR3: Saharia et al.
2021), whose box means it then has, if that is wanted (DDNM: Wang et al. 2023)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import canvas, edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.editing.editing import Plan, refuse_mask
from imagen_lit.editing.picture import Picture
from imagen_lit.stage.condition import TextAndLowRes
from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class Enlarge:
    """`consistent`: whether the large picture has to give the small one again."""

    consistent: bool
    jumps: Jumps

    def plan(self, cascade: Cascade, picture: Picture) -> Plan:
        """The edit of each stage, and where the first of them starts."""
        refuse_mask(picture)
        first = next(iter(cascade.stages.values()))
        if not isinstance(first.condition, TextAndLowRes):
            raise InputError(
                f"the first stage ({first.run}) draws from text alone and enlarges nothing. Set "
                "start_at=... to a stage that enlarges, start_at=sr for example."
            )
        factor = canvas.edge(cascade) // (first.size_in or first.size)
        height, width = (side * factor for side in picture.image.shape[:2])
        canvas.refuse_misfit(cascade, height, width)
        own = edits.details_of(cascade, picture.tensor, Edit(jumps=self.jumps))
        if not self.consistent:
            own = {name: Edit(size=each.size) for name, each in own.items()}
        large = Image.fromarray(picture.image).resize((width, height), Image.Resampling.NEAREST)
        return Plan(own, np.asarray(large), picture.tensor)
