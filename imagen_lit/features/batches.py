"""From images to vectors, a few at a time: what every extractor does around its network.

Vectors are float32 whatever the surrounding program computes in: a training's autocast and TF32 are
switched off, so that a number measured during a training is the one measured afterwards.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from imagen_lit.basics.errors import InputError


def vectors(
    images: Sequence[np.ndarray],
    prepare: Callable[[np.ndarray], Tensor],
    network: Callable[[Tensor], Tensor],
    device: torch.device,
    batch: int,
    width: int,
) -> np.ndarray:
    """float32 [B, width] of images uint8 [H, W, 3], which `prepare` brings to one size."""
    for number, image in enumerate(images):
        _refuse_other(number, image)
    parts = [np.zeros((0, width), np.float32)]
    with exact_float32(device):
        for start in range(0, len(images), batch):
            pixels = torch.stack([prepare(image) for image in images[start : start + batch]])
            parts.append(network(pixels.to(device)).float().cpu().numpy())
    result = np.concatenate(parts)
    if not np.isfinite(result).all():
        raise InputError(
            "a network that looks at images returned numbers that are not finite. Check its "
            "weights: fetch them again."
        )
    return result


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """No gradients, no autocast, no TF32 while this lasts."""
    products, convolutions = (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
    )
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


def _refuse_other(number: int, image: np.ndarray) -> None:
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return
    raise InputError(
        f"image {number} is {image.dtype} {list(image.shape)}, and features need uint8 "
        "[height, width, 3]. Convert it first."
    )
