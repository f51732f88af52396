"""How small a text cache may be: bytes a token against error, and against what a stage makes of it.

Each way of storing is tried on the tokens of some validation captions. Its error is measured on the
vectors, and on the loss of a trained stage that is given the restored vectors instead of the true
ones: the same pictures, the same noise. Entropy-coded sizes are the entropy itself, which a good
coder comes within a percent of.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from imagen_lit import door, run_folder
from imagen_lit.data import quantised
from imagen_lit.evaluation import figure
from imagen_lit.stage.training import TIME_BINS, Stage

Stored = tuple[str, float, Tensor]  # name, bytes a token, the vectors restored


def ways(x: Tensor) -> Iterator[Stored]:
    """Every way of storing x [tokens, D]."""
    width = x.shape[1]
    yield "bf16", 2.0 * width, x.bfloat16().float()
    channel = quantised.loudness([x])
    q, token = quantised.quantise(x, channel)
    yield "int8, channel x token", width + 4.0, quantised.restored(q, token, channel)
    even = x / channel
    for bits in (6, 5, 4, 3):
        most = 2 ** (bits - 1) - 1
        scale = even.abs().amax(1, keepdim=True) / most
        plain = (even / scale).round() * scale * channel
        yield f"int{bits}, channel x token", width * bits / 8 + 4, plain
        rotation = hadamard(width)
        turned = even @ rotation
        grouped = turned.unflatten(1, (-1, min(64, width)))
        scale = grouped.abs().amax(2, keepdim=True).clamp(min=1e-12) / most
        back = ((grouped / scale).round() * scale).flatten(1) @ rotation.T * channel
        size = width * bits / 8 + 2 * grouped.shape[1]
        yield f"int{bits}, rotated, groups of 64", size, back
    for step in (0.03, 0.06, 0.125, 0.25, 0.5):
        q = (even / step).round()
        yield f"entropy coded, step {step:g}", entropy(q) * width / 8, q * step * channel
    for rank in (width // 16, width // 4):
        u, s, v = torch.linalg.svd(even, full_matrices=False)
        low = (u[:, :rank] * s[:rank]) @ v[:rank]
        rest = even - low
        for step in (0.125, 0.25):
            q = (rest / step).round()
            size = 2 * rank + entropy(q) * width / 8  # the basis is shared by a whole shard
            name = f"rank {rank} + rest, entropy coded, step {step:g}"
            yield name, size, (low + q * step) * channel


def hadamard(width: int) -> Tensor:
    """An orthogonal matrix of +-1/sqrt(width) (Sylvester's, for powers of two)."""
    if width & (width - 1):
        raise ValueError(f"found width {width}: the rotation wants a power of two")
    matrix = torch.ones(1, 1)
    while len(matrix) < width:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / math.sqrt(width)


def entropy(q: Tensor) -> float:
    """Bits a number, of whole numbers drawn as these are."""
    _, counts = q.unique(return_counts=True)
    share = counts.double() / counts.sum()
    return float(-(share * share.log2()).sum())


@torch.inference_mode()
def loss(stage: Stage, batches: list[dict[str, Any]]) -> Tensor:
    """Loss of the follower for each picture, on fixed noise and an even grid of times."""
    found = []
    for batch in batches:
        t = ((batch["position"] % TIME_BINS) + 0.5) / TIME_BINS
        found.append(stage.loss(stage.ema, batch, t.to(batch["image"]), seed=0))
    return torch.cat(found)


def replaced(batches: list[dict[str, Any]], vectors: Tensor) -> list[dict[str, Any]]:
    """The same batches with other vectors for their tokens."""
    split = vectors.split([int(batch["mask"].sum()) for batch in batches])
    return [
        batch
        | {"text": torch.zeros_like(batch["text"]).masked_scatter(batch["mask"][..., None], v)}
        for batch, v in zip(batches, split, strict=True)
    ]


@door.main("bench_text")
def main(cfg: DictConfig) -> None:
    stage = run_folder.load(Path(cfg.run))
    data = door.build(run_folder.config(Path(cfg.run)).data)
    (loader,) = data.val_dataloader()
    batches = [data.on_after_batch_transfer(batch, 0) for batch in loader]
    x = torch.cat([batch["text"][batch["mask"]] for batch in batches])
    true = loss(stage, batches)
    none = loss(stage, replaced(batches, torch.zeros_like(x)))
    gap = (none - true).mean()
    print(
        f"{len(x)} tokens of width {x.shape[1]} from {len(true)} captions; loss {true.mean():.5f},"
    )
    print(f"without text {none.mean():.5f}: the difference is what the text is worth")
    print(f"{'':44} {'bytes':>7} {'ordinary':>9} {'cosine':>8} {'worth lost':>11}")
    points = []
    for name, size, y in ways(x):
        error = quantised.errors([x], [y])
        lost = ((loss(stage, replaced(batches, y)) - true).mean() / gap).item()
        points.append((size / x.shape[1] * 8, error["ordinary"], lost))
        print(f"{name:44} {size:7.1f} {error['ordinary']:9.2%} {error['cosine']:8.5f} {lost:11.3%}")
    if cfg.figure:
        lines = {
            "error of ordinary channels": [(bits, e) for bits, e, _ in sorted(points)],
            "worth of the text that is lost": [
                (b, max(abs(w), 1e-6)) for b, _, w in sorted(points)
            ],
        }
        Path(cfg.figure).write_text(figure.curves(lines, "bits a number", "share"))


if __name__ == "__main__":
    main()
