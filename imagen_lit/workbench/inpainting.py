"""A hole in a picture, for every stage: what is around it is given, and what is in it is drawn.

A smaller stage has the picture reduced by the kernel that the stage above learned to enlarge, in
whole grey levels; its pixel is given if all that it is made of is. In the last stage's image all
that is given is as it was, to the last grey level.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.diffusion.constraint import Pixels
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.stage.condition import TextAndLowRes, small_image
from imagen_lit.stage.edit import Edit


def edits_of(cascade: Cascade, picture: np.ndarray, hole: np.ndarray, jumps: Jumps) -> dict:
    """An Edit for each stage; `picture` uint8 [H, W, 3] and `hole` uint8 [H, W] as large as the
    last stage draws."""
    size = list(cascade.stages.values())[-1].size
    for name, array in (("picture", picture), ("mask", hole)):
        height, width = array.shape[:2]
        if (height, width) != (size, size):
            raise InputError(
                f"the {name} has {width} x {height} pixels, and the last stage draws {size} x "
                f"{size}. Choose a picture of the history, and paint on it."
            )
    image = pixels.to_signed(torch.tensor(picture).movedim(-1, 0)[None])
    here, edits = torch.tensor(hole > 127)[None, None], {}
    for name, stage in reversed(cascade.stages.items()):
        edits[name] = Edit(constraint=Pixels(image, ~here), jumps=jumps)
        if isinstance(stage.condition, TextAndLowRes):
            factor, kernel = stage.condition.factor, stage.condition.kernel
            image = pixels.to_signed(pixels.to_uint8(small_image(image, factor, kernel)))
            here = _smaller(here, factor)
    return edits


def _smaller(hole: Tensor, factor: int) -> Tensor:
    return F.max_pool2d(hole.float(), factor) > 0
