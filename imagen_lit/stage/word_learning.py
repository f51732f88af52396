"""Textual inversion (Gal et al. 2023, eq. 2): of all numbers, only one vector is learnt, the one
with which a new word enters the frozen text encoder.

The loss is the stage's own, of its EMA, on pictures whose captions have the word. Its gradient
passes through the frozen network and the frozen encoder. Law: nothing else changes by a bit.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from imagen_lit.basics.errors import RunError
from imagen_lit.diffusion import noise
from imagen_lit.stage.condition import Batch
from imagen_lit.stage.training import Stage

Encode = Callable[[list[str]], tuple[Tensor, Tensor]]


def loss(stage: Stage, encode: Encode, batch: Batch, seed: int) -> Tensor:
    """The mean loss of a batch whose captions are encoded now, with a gradient."""
    text, mask = encode(batch["caption"])
    image = batch["image"].to(text.device)
    positions = batch["position"].to(text.device)
    encoded = batch | {"image": image, "position": positions, "text": text, "mask": mask}
    return stage.loss(stage.ema, encoded, noise.times(seed, positions), seed).mean()


def learn(
    stage: Stage,
    encode: Encode,
    vector: nn.Parameter,
    batches: Iterable[Batch],
    images: int,
    lr: float,
    seed: int,
    report: Callable[[int, float], None] = lambda images_seen, loss: None,
) -> None:
    """Learn the vector, in place, by Adam, on so many images."""
    stage.requires_grad_(False).eval()
    vector.requires_grad_(True)
    optimizer, seen = torch.optim.Adam([vector], lr=lr), 0
    for batch in batches:
        mean = loss(stage, encode, batch, seed)
        if not mean.isfinite():
            raise RunError(
                f"the loss is not finite after {seen:,} images. Lower lr=... and start again."
            )
        (vector.grad,) = torch.autograd.grad(mean, [vector])
        optimizer.step()
        seen += len(batch["caption"])
        report(seen, mean.item())
        if seen >= images:
            break
    vector.requires_grad_(False)
