"""What each stage of a cascade takes from one picture: a start, given pixels, given grey values.

    edits = edits_of(cascade, picture, hole, Edit(strength=1.0, jumps=Jumps(4, 4)))
    for stage, images in cascade.draw(condition, seeds, edits=edits): ...

A picture is [B, 3, H, W] in [-1, 1], as large as the last stage draws, or as another canvas whose
sides every stage can draw (imagen_lit/cascade/canvas.py); one picture serves all images of a batch.
A smaller stage has it reduced by the kernel that the stage above learned to enlarge, in whole grey
levels. A hole, [B, 1, H, W], is true where something is to be drawn; all else is given, and stays
as it is to the last grey level.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics import pixels, reduction
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.stage.condition import TextAndLowRes, small_image
from imagen_lit.stage.edit import NO_EDIT, Edit


def pictures_of(cascade: Cascade, picture: Tensor) -> dict[str, Tensor]:
    """The picture at the size of each stage."""

    def smaller(images: Tensor, condition: TextAndLowRes) -> Tensor:
        return whole_levels(small_image(images, condition.factor, condition.kernel))

    return _by_stage(cascade, whole_levels(picture), smaller)


def holes_of(cascade: Cascade, hole: Tensor) -> dict[str, Tensor]:
    """The hole at the size of each stage: a small pixel is given if all that it is made of are."""

    def smaller(hole: Tensor, condition: TextAndLowRes) -> Tensor:
        covered = F.max_pool2d(hole.float(), condition.factor)
        reach = reduction.REACH[condition.kernel]
        return F.max_pool2d(covered, 2 * reach + 1, stride=1, padding=reach) > 0

    return _by_stage(cascade, hole, smaller)


def parts_of(cascade: Cascade, picture: Tensor, hole: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """What the given pixels have in each pixel of each stage, and which share of it they are: so a
    small stage draws nothing across the hole's edge that the last one could not."""
    given = (~hole).to(picture)

    def smaller(parts: Tensor, condition: TextAndLowRes) -> Tensor:
        return small_image(parts, condition.factor, condition.kernel)

    both = torch.cat([whole_levels(picture) * given, given.expand_as(picture[:, :1])], 1)
    stages = _by_stage(cascade, both, smaller)
    return {name: (each[:, :3], each[:, 3:].clamp(0, 1)) for name, each in stages.items()}


def edits_of(
    cascade: Cascade,
    picture: Tensor,
    hole: Tensor | None = None,
    how: Edit = NO_EDIT,
) -> dict[str, Edit]:
    """The picture drawn anew, in the hole or everywhere, with the strength and the jumps of `how`.
    With strength 1 and no hole nothing of it is left."""
    everywhere = torch.ones_like(picture[:, :1], dtype=torch.bool)
    hole = everywhere if hole is None else hole
    holes, parts = holes_of(cascade, hole), parts_of(cascade, picture, hole)
    pictures = pictures_of(cascade, picture)
    return {name: how.of(pictures[name], holes[name], *parts[name]) for name in pictures}


def colours_of(cascade: Cascade, picture: Tensor, how: Edit = NO_EDIT) -> dict[str, Edit]:
    """The picture's grey values given, and its colours drawn."""
    return {name: how.of_grey(small) for name, small in pictures_of(cascade, picture).items()}


def details_of(cascade: Cascade, small: Tensor, how: Edit = NO_EDIT) -> dict[str, Edit]:
    """The small picture given that the first stage enlarges: each stage's image, made smaller by
    boxes, is that picture again, up to what is clipped."""
    edits, factor = {}, 1
    for name, stage in cascade.stages.items():
        factor *= stage.condition.factor if isinstance(stage.condition, TextAndLowRes) else 1
        edits[name] = how.of_small(small, factor)
    return edits


def whole_levels(images: Tensor) -> Tensor:
    """As a file would hold them."""
    return pixels.to_signed(pixels.to_uint8(images))


def _by_stage(
    cascade: Cascade, largest: Tensor, smaller: Callable[[Tensor, TextAndLowRes], Tensor]
) -> dict[str, Tensor]:
    """The last stage has the largest, and each stage before it what is smaller by one stage."""
    names = list(cascade.stages)
    sizes = {names[-1]: largest}
    for above, name in pairwise(reversed(names)):
        condition = cascade.stages[above].condition
        assert isinstance(condition, TextAndLowRes)  # Cascade.check refuses all others
        sizes[name] = smaller(sizes[above], condition)
    return {name: sizes[name] for name in names}
