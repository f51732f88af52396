"""The picture drawn anew, in the hole or everywhere, from noise of some strength: inpainting,
image-to-image, variations (SDEdit: Meng et al. 2022; RePaint: Lugmayr et al. 2022)."""

from dataclasses import dataclass

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import canvas, edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.editing.editing import Plan, shown
from imagen_lit.editing.picture import Picture
from imagen_lit.stage.edit import Edit


@dataclass(frozen=True)
class Repaint:
    """`strength` 1 leaves nothing of the picture within the hole, and less leaves more of it."""

    strength: float
    jumps: Jumps

    def plan(self, cascade: Cascade, picture: Picture) -> Plan:
        """The edit of each stage."""
        if picture.hole is None and self.strength == 1:
            raise InputError(
                "strength=1 without a mask leaves nothing of the picture. Set mask=... to a "
                "picture that is white where something is to be drawn, or editing.strength=0.6."
            )
        canvas.refuse_misfit(cascade, *picture.image.shape[:2])
        how = Edit(strength=self.strength, jumps=self.jumps)
        own = edits.edits_of(cascade, picture.tensor, picture.hole_tensor, how)
        return Plan(own, shown(picture))
