"""Measure how small a text cache can be: bytes per token against the error of the vectors, and
against the loss of a trained stage.

Each format is tried on the tokens of some validation captions. Its error is measured on the
vectors, and on the loss of a trained stage that gets the restored vectors instead of the true ones,
on the same images and noise. Entropy-coded sizes are the entropy itself; a good coder comes within
a percent of it.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command, config
from imagen_lit.data import quantisation
from imagen_lit.report import figure
from imagen_lit.run import run_folder
from imagen_lit.stage.time_bins import TIME_BINS
from imagen_lit.stage.training import Stage

Trial = tuple[str, float, Tensor]  # format, bytes per token, the vectors restored
Point = tuple[float, float, float]  # bits per number, error of ordinary channels, gain lost


def trials(x: Tensor) -> Iterator[Trial]:
    """Every format on x [tokens, D]."""
    width = x.shape[1]
    yield "bf16", 2.0 * width, x.bfloat16().float()
    channel = quantisation.channel_rms([x])
    q, token = quantisation.quantise(x, channel)
    yield "int8, channel x token", width + 4.0, quantisation.dequantise(q, token, channel)
    even = x / channel
    for bits in (6, 5, 4, 3):
        yield from _few_bits(even, channel, bits)
    for step in (0.03, 0.06, 0.125, 0.25, 0.5):
        q = (even / step).round()
        yield f"entropy coded, step {step:g}", entropy(q) * width / 8, q * step * channel
    for rank in (width // 16, width // 4):
        yield from _low_rank(even, channel, rank)


def _few_bits(even: Tensor, channel: Tensor, bits: int) -> Iterator[Trial]:
    """Integers of so many bits, of the channels as they are and of a rotation of them."""
    width, most = even.shape[1], 2 ** (bits - 1) - 1
    scale = even.abs().amax(1, keepdim=True) / most
    yield (
        f"int{bits}, channel x token",
        width * bits / 8 + 4,
        (even / scale).round() * scale * channel,
    )
    rotation = hadamard(width)
    groups = (even @ rotation).unflatten(1, (-1, min(64, width)))
    scale = groups.abs().amax(2, keepdim=True).clamp(min=1e-12) / most
    y = ((groups / scale).round() * scale).flatten(1) @ rotation.T * channel
    yield f"int{bits}, rotated, groups of 64", width * bits / 8 + 2 * groups.shape[1], y


def _low_rank(even: Tensor, channel: Tensor, rank: int) -> Iterator[Trial]:
    """A few principal directions, and the rest entropy coded."""
    u, s, v = torch.linalg.svd(even, full_matrices=False)
    low = (u[:, :rank] * s[:rank]) @ v[:rank]
    rest = even - low
    for step in (0.125, 0.25):
        q = (rest / step).round()
        size = 2 * rank + entropy(q) * even.shape[1] / 8  # a whole shard shares the basis
        yield f"rank {rank} + rest, entropy coded, step {step:g}", size, (low + q * step) * channel


def hadamard(width: int) -> Tensor:
    """An orthogonal matrix of ±1/sqrt(width) (Sylvester's, for powers of two)."""
    if width & (width - 1):
        raise InputError(
            f"text vectors of width {width} cannot be rotated: only a power of two can. "
            "Set run=... to a stage with another text encoder."
        )
    matrix = torch.ones(1, 1)
    while len(matrix) < width:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix / math.sqrt(width)


def entropy(q: Tensor) -> float:
    """Bits per number, for integers with these frequencies."""
    _, counts = q.unique(return_counts=True)
    share = counts.double() / counts.sum()
    return float(-(share * share.log2()).sum())


@torch.inference_mode()
def loss(stage: Stage, batches: list[dict[str, Any]]) -> Tensor:
    """Loss of the EMA for each image, on fixed noise and an even grid of times."""
    losses = []
    for batch in batches:
        t = ((batch["position"] % TIME_BINS) + 0.5) / TIME_BINS
        losses.append(stage.loss(stage.ema, batch, t.to(batch["image"]), seed=0))
    return torch.cat(losses)


def with_vectors(batches: list[dict[str, Any]], vectors: Tensor) -> list[dict[str, Any]]:
    """The same batches with other vectors for their tokens."""
    parts = vectors.split([int(batch["mask"].sum()) for batch in batches])
    return [
        batch
        | {"text": torch.zeros_like(batch["text"]).masked_scatter(batch["mask"][..., None], v)}
        for batch, v in zip(batches, parts, strict=True)
    ]


@command.main("bench_text")
def main(cfg: DictConfig) -> None:
    """Print a row per format, and draw the curve."""
    run = chosen_folder.of("run", cfg.run)
    file = None if cfg.figure is None else _svg_file(cfg.figure)
    stage = run_folder.load_stage(run)
    data = config.build(run_folder.read_config(run).data)
    (loader,) = data.val_dataloader()
    batches = [data.on_after_batch_transfer(batch, 0) for batch in loader]
    x = torch.cat([batch["text"][batch["mask"]] for batch in batches])
    with_text = loss(stage, batches)
    without_text = loss(stage, with_vectors(batches, torch.zeros_like(x)))
    gain = (without_text - with_text).mean()
    print(
        f"{len(x)} tokens of width {x.shape[1]} from {len(with_text)} captions; "
        f"loss {with_text.mean():.5f},"
    )
    print(f"without text {without_text.mean():.5f}: the difference is the gain from the text")
    print(f"{'':44} {'bytes':>7} {'ordinary':>9} {'cosine':>8} {'gain lost':>11}")
    points: list[Point] = []
    for name, size, y in trials(x):
        error = quantisation.errors([x], [y])
        lost = ((loss(stage, with_vectors(batches, y)) - with_text).mean() / gain).item()
        points.append((size / x.shape[1] * 8, error["ordinary"], lost))
        print(f"{name:44} {size:7.1f} {error['ordinary']:9.2%} {error['cosine']:8.5f} {lost:11.3%}")
    if file is not None:
        write_text(file, _curve(sorted(points)))


def _svg_file(figure: Any) -> Path:
    file = arguments.path("figure", figure)
    if file.suffix != ".svg" or file.is_dir():
        raise InputError(f"figure={figure} is no .svg file. Set figure=cache.svg, for example.")
    chosen_folder.require_writable("figure", figure, file.parent)
    return file


def _curve(points: list[Point]) -> str:
    lines = {
        "error of ordinary channels": [(bits, error) for bits, error, _ in points],
        "text gain lost": [(bits, max(abs(lost), 1e-6)) for bits, _, lost in points],
    }
    return figure.curves(lines, "bits per number", "share")


if __name__ == "__main__":
    main()
