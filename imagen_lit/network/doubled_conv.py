"""A 3x3 convolution of a picture of twice the edge, computed on the small picture.

Each pixel of the doubled picture sees only two by two different ones of the small picture, so four
products a channel do the work of nine: exactly a transposed convolution whose 4x4 kernel is the 3x3
kernel spread over a block of two by two.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PIXELS = 512  # of a batch; fewer do not repay that the kernel is spread in every call


def is_faster(x: Tensor) -> bool:
    """Whether it is for x [B, C, H, W]: as measured on a CPU. On a GPU it has not been; and where
    work is counted, without contents, it is counted as the network is written."""
    return not x.is_cuda and not x.is_meta and len(x) * x.shape[2] * x.shape[3] >= PIXELS


def conv_of_doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """conv2d(doubled x, weight, bias, padding=1): [B, C, H, W] -> [B, C', 2H, 2W]."""
    kernel = spread(weight).to(memory_format=torch.channels_last)
    return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)


def spread(weight: Tensor) -> Tensor:
    """[C', C, 3, 3] -> [C, C', 4, 4], turned round as a transposed convolution has it."""
    corners = ((0, 1, 0, 1), (1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 1, 0))
    a, b, c, d = (F.pad(weight, corner) for corner in corners)
    return (a + b + c + d).flip(2, 3).transpose(0, 1)
