"""Colours for a picture of which the grey values are given (Palette: Saharia et al. 2022, by the
projection of DDNM: Wang et al. 2023)."""

from dataclasses import dataclass

import numpy as np

from imagen_lit.basics import pixels
from imagen_lit.cascade import canvas, edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.constraint import grey
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.editing.editing import Plan, refuse_mask
from imagen_lit.editing.picture import Picture
from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class Colourise:
    """Of a picture that has colours only its grey values are used."""

    jumps: Jumps

    def plan(self, cascade: Cascade, picture: Picture) -> Plan:
        """The edit of each stage."""
        refuse_mask(picture)
        canvas.refuse_misfit(cascade, *picture.image.shape[:2])
        own = edits.colours_of(cascade, picture.tensor, Edit(jumps=self.jumps))
        values = pixels.to_array(grey(picture.tensor)[0])
        return Plan(own, np.repeat(values, 3, axis=-1))
