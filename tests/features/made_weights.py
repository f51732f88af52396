"""Weights that follow from their names and shapes alone, so that another implementation can be
given the same ones; and images likewise.

numpy's RandomState is used because its numbers never change.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Each convolution of Inception-v3 with its shape, as the module of torch-fidelity 0.4.0 lists them.
INCEPTION = Path(__file__).parent / "inception_layout.txt"
NORM = ("weight", "bias", "running_mean", "running_var")
Shapes = dict[str, Sequence[int]]


def inception_shapes() -> Shapes:
    """Those of the FID's public weights."""
    table: Shapes = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for line in INCEPTION.read_text().splitlines():
        name, *numbers = line.split()
        table[f"{name}.conv.weight"] = [int(number) for number in numbers]
        table |= {f"{name}.bn.{part}": (int(numbers[0]),) for part in NORM}
    return table


def efficientnet_shapes() -> Shapes:
    """Those of the public weights of Lite0, from the paper's table, block by block."""
    table: Shapes = {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}

    def conv(name: str, norm: str, out: int, width: int, kernel: int) -> None:
        table[f"{name}.weight"] = (out, width, kernel, kernel)
        table.update({f"{norm}.{part}": (out,) for part in NORM})

    conv("_conv_stem", "_bn0", 32, 3, 3)
    conv("_conv_head", "_bn1", 1280, 320, 1)
    channels = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]
    kernels = [3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3]
    for number, (out, kernel) in enumerate(zip(channels, kernels, strict=True)):
        width = channels[number - 1] if number else 32
        block, inner = f"_blocks.{number}", 6 * width if number else width
        if number:
            conv(f"{block}._expand_conv", f"{block}._bn0", inner, width, 1)
        conv(f"{block}._depthwise_conv", f"{block}._bn1", inner, 1, kernel)
        conv(f"{block}._project_conv", f"{block}._bn2", out, inner, 1)
    return table


def state(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Weights that keep the size of what passes through, and batch norms that change it a bit."""
    tensors = {}
    for number, name in enumerate(sorted(shapes)):
        stream, shape = np.random.RandomState(number), tuple(shapes[name])
        if len(shape) > 1:
            values = stream.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif name.endswith(("running_var", "weight")):
            values = 0.5 + stream.uniform(size=shape)
        else:
            values = 0.1 * stream.standard_normal(shape)
        tensors[name] = torch.tensor(values, dtype=torch.float32)
    return tensors


def save(tensors: Mapping[str, Tensor], file: Path) -> str:
    """Write them as torch does; the file's sha256."""
    torch.save(dict(tensors), file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def image(height: int, width: int) -> np.ndarray:
    """Smooth colours with noise."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 9 + n) + np.cos(y / 7 - n * x / 50) for n in range(3)]
    noise = np.random.RandomState(height).standard_normal((height, width, 3))
    return (127 + 50 * np.stack(waves, 2) + 10 * noise).clip(0, 255).astype(np.uint8)
