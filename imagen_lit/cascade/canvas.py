"""On which canvases a cascade can draw. Its networks are convolutions, and attention that knows no
positions, so a stage draws on any whose sides its network can halve as often as it does.

On the demo a canvas that is half as wide again, drawn at once, holds together (docs/editing.md).
"""

import math

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.cascade import Cascade

MUCH = 4  # times the pixels


def step(cascade: Cascade) -> int:
    """Of how many pixels the sides of the last stage's image are multiples."""
    stages = list(cascade.stages.values())
    first, last = stages[0].size, stages[-1].size
    lattice = 1  # in pixels of the first stage's image
    for stage in stages:
        divisor = stage.denoiser.network.divisor
        lattice = math.lcm(lattice, divisor // math.gcd(divisor, stage.size // first))
    return lattice * last // first


def edge(cascade: Cascade) -> int:
    """Of the images that the last stage has learned."""
    return list(cascade.stages.values())[-1].size


def announcement(cascade: Cascade, height: int, width: int) -> str:
    """How much larger than what it has learned; empty where that is not much."""
    times = height * width / edge(cascade) ** 2
    words = f"{width} x {height} pixels are {times:.0f} times those that the cascade has learned"
    return f"{words}: about as many times as long, and as much memory" if times >= MUCH else ""


def refuse_misfit(
    cascade: Cascade, height: int, width: int, remedy: str = "set fit=crop or fit=resize"
) -> None:
    """Raise unless every stage can draw its part of this canvas."""
    unit, learned = step(cascade), edge(cascade)
    if height % unit or width % unit or not height or not width:
        near = " x ".join(str(max(unit, round(side / unit) * unit)) for side in (width, height))
        raise InputError(
            f"a canvas of {width} x {height} pixels does not fit this cascade, which has learned "
            f"{learned} x {learned} and draws all sides that are multiples of {unit}. Make it "
            f"{near}, for example, or {remedy}."
        )
