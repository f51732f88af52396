"""Both towers of a small CLIP, and the temperature they share (Radford et al. 2021, fig. 3)."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from imagen_lit.contrastive.contrastive_loss import FIRST_SCALE, LARGEST_SCALE
from imagen_lit.contrastive.image_tower import ImageTower
from imagen_lit.contrastive.text_tower import TextTower, last_states


@dataclass(frozen=True)
class Shape:
    """The sizes that weights follow from; what config.json holds."""

    size: int  # edge of the images, in pixels
    channels: int  # of the image tower's first level
    width: int  # of features and of token states
    layers: int  # of the text tower
    vocabulary: int  # tokens
    max_length: int  # the most tokens of a text


class TwoTowers(nn.Module):
    """Images and texts -> features of one space, not normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.image_tower = ImageTower(shape.size, shape.channels, shape.width)
        self.text_tower = TextTower(shape.vocabulary, shape.max_length, shape.width, shape.layers)
        self.text_out = nn.Linear(shape.width, shape.width, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def image_features(self, images: Tensor) -> Tensor:
        """[B, width] of images [B, 3, size, size] in [-1, 1]."""
        return self.image_tower(images)

    def text_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[B, width] of token ids [B, L]."""
        return self.text_out(last_states(self.text_tower(ids, mask), mask))

    @property
    def scale(self) -> Tensor:
        """Of the logits: one over the temperature."""
        return self.log_scale.exp()

    @torch.no_grad()
    def limit_scale(self) -> None:
        """Clip it, as CLIP does after every step, so that it can fall again."""
        self.log_scale.clamp_(max=math.log(LARGEST_SCALE))

    def config(self) -> dict[str, int]:
        """The shape, as plain JSON."""
        return asdict(self.shape)
