"""Which canvases a cascade can draw on: the networks are convolutions and attention without
positions, so any whose sides can be halved as often as each stage's network halves them.

Measured on the demo (docs/editing.md): drawn at once, a wide canvas holds together.
"""

import math

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.stage.condition import TextAndLowRes


def grid(cascade: Cascade) -> int:
    """Of how many pixels the sides of the last stage's image have to be multiples."""
    step = 1
    for stage in cascade.stages.values():
        condition = stage.condition
        factor = condition.factor if isinstance(condition, TextAndLowRes) else 1
        step = math.lcm(step * factor, stage.denoiser.network.divisor)
    return step


def trained(cascade: Cascade) -> int:
    """The edge of the images that the last stage has learned."""
    return list(cascade.stages.values())[-1].size


def refuse_misfit(cascade: Cascade, height: int, width: int) -> None:
    """Raise unless every stage can draw on its part of this canvas."""
    step = grid(cascade)
    if height % step or width % step or not height or not width:
        fitting = " x ".join(str(max(step, round(side / step) * step)) for side in (width, height))
        edge = trained(cascade)
        raise InputError(
            f"the picture has {width} x {height} pixels, and this cascade draws {edge} x {edge}, "
            f"or other canvases whose sides are multiples of {step}. Make it {fitting}, for "
            "example, or set fit=crop."
        )
