"""The small image at the size of the large one, channel by channel beside it (Cascaded Diffusion
§ 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError

KERNELS = ("bilinear", "bicubic", "nearest")


class Enlargement(nn.Module):
    """Enlarges by one of three kernels, and concatenates."""

    def __init__(self, kernel: str = "bilinear") -> None:
        super().__init__()
        self.kernel = arguments.choice("network.enlargement", kernel, KERNELS)
        self.align_corners = None if kernel == "nearest" else False

    def forward(self, z: Tensor, lowres: Tensor | None) -> Tensor:
        """z [B, C, H, W] and lowres [B, c, h, w] -> [B, C + c, H, W], in the memory format of
        z."""
        if lowres is None:
            raise InputError(
                "this network enlarges a smaller image, and the stage provides none. Set "
                "stage=demo_sr, or network=demo_unet for a stage that draws from text alone."
            )
        size = z.shape[-2:]
        enlarged = F.interpolate(
            lowres, size=size, mode=self.kernel, align_corners=self.align_corners
        )
        if z.is_contiguous(memory_format=torch.channels_last):
            enlarged = enlarged.contiguous(memory_format=torch.channels_last)
        return torch.cat([z, enlarged], dim=1)
