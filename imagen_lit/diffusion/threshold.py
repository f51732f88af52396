"""Keeping a clean estimate inside the range of images.

Strong guidance pushes estimates beyond [-1, 1], where no training image was; the error grows from
step to step (Imagen § 2.3). A *threshold* is a function x -> x, applied to the guided estimate at
every step, before the sampler uses it. It leaves an image already in [-1, 1] as it is and treats
each image of a batch [B, ...] by itself.
"""

import math

from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.diffusion.schedule import per_image


def none(x: Tensor) -> Tensor:
    """No threshold: the baseline of Imagen Fig. A.9."""
    return x


def static(x: Tensor) -> Tensor:
    """Clip every value. Imagen § 2.3; Ho et al. 2020. Saturates as guidance grows."""
    return x.clamp(-1, 1)


def dynamic(x: Tensor, percentile: float = 99.5, cap: float | None = None) -> Tensor:
    """Clip at a high percentile of |x| and scale back to [-1, 1]. Imagen § 2.3 and Fig. A.10.

    Values at the edge move inwards instead of piling up there. `cap` bounds the scale, because a
    large one costs contrast (DeepFloyd IF: 1.5); a cap of 1 is `static`.
    """
    if not 1 < percentile <= 100:
        raise InputError(
            f"percentile={percentile} is not above 1 and at most 100. Set percentile=99.5, which "
            "others write as 0.995."
        )
    if cap is not None and cap < 1:
        raise InputError(f"cap={cap} is less than 1. Set cap=1.5, for example, or null for none.")
    scale = _percentile(x.abs().flatten(1), percentile).clamp(min=1, max=cap)
    scale = per_image(scale, x)
    return x.clamp(-scale, scale) / scale


def _percentile(values: Tensor, percentile: float) -> Tensor:
    """[B, N] -> [B], linear between adjacent values. torch.quantile refuses more than 2^24 values,
    which a batch of six images of 1024 x 1024 exceeds, and sorts them all; the top few suffice."""
    rank = percentile / 100 * (values.shape[1] - 1)
    below = math.floor(rank)
    top = values.topk(values.shape[1] - below, dim=1).values  # descending, to rank `below`
    low, high = top[:, -1], top[:, max(-2, -top.shape[1])]
    return low.lerp(high, rank - below)
