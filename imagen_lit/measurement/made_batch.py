"""A batch in memory, of random images and texts: what is measured or checked on it waits for no
data, and is the same on every device."""

import torch

from imagen_lit.stage.condition import Batch

TOKENS = 16


def made_batch(
    images: int, edge: int, text_width: int, device: torch.device, tokens: int = TOKENS
) -> Batch:
    """As a loader gives it: image [B, 3, edge, edge], text [B, L, D], mask [B, L], position [B]."""
    numbers = torch.Generator().manual_seed(0)
    batch = {
        "image": torch.rand(images, 3, edge, edge, generator=numbers) * 2 - 1,
        "text": torch.randn(images, tokens, text_width, generator=numbers),
        "mask": torch.ones(images, tokens, dtype=torch.bool),
        "position": torch.arange(images),
    }
    return {name: tensor.to(device) for name, tensor in batch.items()}
