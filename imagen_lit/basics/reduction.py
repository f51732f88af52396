"""The kernels by which an image becomes smaller.

    box        the mean of the pixels that a small pixel covers; no values beyond the image's own
    bilinear   a triangle twice as wide, antialiased
    bicubic    Keys' cubic, four times as wide, antialiased: sharpest, and it may overshoot

What a base learns from (`data.kernel`) and what a super-resolution learns to enlarge
(`stage.condition.kernel`) are the same kind of image if both have the same kernel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics.errors import InputError

KERNELS = ("box", "bilinear", "bicubic")
REACH = {"box": 0, "bilinear": 1, "bicubic": 2}  # small pixels beyond its own that a kernel sees


def refuse_unknown(key: str, kernel: str) -> None:
    """Raise unless the setting `key` names one of them."""
    if kernel not in KERNELS:
        raise InputError(
            f"{key}={kernel} is not one of {', '.join(KERNELS)}. Set {key}=bicubic, for example."
        )


def reduce(images: Tensor, size: tuple[int, int], kernel: str) -> Tensor:
    """[B, C, H, W] -> [B, C, *size], of the same type; whole grey levels are rounded and clipped,
    and what else is beyond the images' range stays."""
    if kernel != "box":
        return F.interpolate(images, size, mode=kernel, antialias=True)
    if images.dtype != torch.uint8:
        return F.interpolate(images, size, mode="area")
    return F.interpolate(images.float(), size, mode="area").round_().to(torch.uint8)
