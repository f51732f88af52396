"""The symmetric contrastive loss of CLIP: each image finds its caption among those of the batch,
and each caption its image (Radford et al. 2021, § 2.3 and fig. 3)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0  # of the logits (Radford et al. 2021, § 2.5)


def pair_losses(images: Tensor, texts: Tensor, scale: Tensor, is_same: Tensor) -> Tensor:
    """InfoNCE [B] of features [B, D]: the mean of the cross-entropies of both directions, over
    cosines times `scale`.

    Two pairs with one caption (`is_same` [B, B]) are not told apart by it, so that neither counts
    as wrong for the other: they are left out of each other's sums.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    own = torch.arange(len(logits), device=logits.device)
    is_other = own[:, None] != own
    logits = logits.masked_fill(is_same & is_other, -math.inf)
    finds_caption = F.cross_entropy(logits, own, reduction="none")
    finds_image = F.cross_entropy(logits.T, own, reduction="none")
    return (finds_caption + finds_image) / 2


def same_captions(ids: Tensor) -> Tensor:
    """Which rows of token ids [B, L] are equal, [B, B]: captions that the text tower cannot tell
    apart."""
    return (ids[:, None] == ids).all(-1)
