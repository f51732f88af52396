"""Inception-v3 as the FID has it (Szegedy et al. 2015; TensorFlow's graph of 2015-12-05).

It differs from the later Inception-v3 in its pooling alone: averages leave out the padding, and the
last block takes a maximum instead. The names are those of the public weights.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d

Shape = tuple[str, int, int, int]  # name, channels, kernel's height and width
Path = Sequence[Shape]  # of convolutions, one after another


def average(x: Tensor) -> Tensor:
    """Of a pixel and its neighbours, without those beyond the border."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """Of a pixel and its neighbours."""
    return max_pool2d(x, 3, stride=1, padding=1)


def reduction(x: Tensor) -> Tensor:
    """The maximum in windows of 3, each 2 further."""
    return max_pool2d(x, 3, stride=2)


class Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, width: int, out: int, kernel: tuple[int, int], stride: int, padding: tuple[int, int]
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> [B, out, H', W']."""
        return self.bn(self.conv(x)).relu_()


class Block(nn.Module):
    """Paths side by side, joined in the channels; paths that begin alike share what is alike. The
    last one pools first. In a reduction the last convolution of each path has stride 2."""

    def __init__(
        self, width: int, paths: Sequence[Path], pool: Callable[[Tensor], Tensor], after_pool: Path
    ) -> None:
        super().__init__()
        self.pool = pool
        self.paths = [[name for name, *_ in path] for path in paths]
        self.after_pool = [name for name, *_ in after_pool]
        self.width = 0
        for path in (*paths, after_pool):
            below = width
            for name, out, height, across in path:
                halves = pool is reduction and name == path[-1][0]
                stride, padding = (2, (0, 0)) if halves else (1, (height // 2, across // 2))
                if name not in self._modules:
                    self.add_module(name, Conv(below, out, (height, across), stride, padding))
                below = out
            self.width += below

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, width, H, W], or half as high and wide."""
        results: dict[tuple[str, ...], Tensor] = {}
        outputs = [self._follow(x, path, results) for path in self.paths]
        outputs.append(self._follow(self.pool(x), self.after_pool, {}))
        return torch.cat(outputs, 1)

    def _follow(self, x: Tensor, path: list[str], results: dict[tuple[str, ...], Tensor]) -> Tensor:
        for number, name in enumerate(path, 1):
            key = tuple(path[:number])
            if key not in results:
                results[key] = self.get_submodule(name)(x)
            x = results[key]
        return x


def block_a(width: int, pooled: int) -> Block:
    """At 35 pixels."""
    double = [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3)]
    paths = [
        [("branch1x1", 64, 1, 1)],
        [("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)],
        [*double, ("branch3x3dbl_3", 96, 3, 3)],
    ]
    return Block(width, paths, average, [("branch_pool", pooled, 1, 1)])


def block_b(width: int) -> Block:
    """From 35 pixels to 17."""
    double = [("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3)]
    paths = [[("branch3x3", 384, 3, 3)], [*double, ("branch3x3dbl_3", 96, 3, 3)]]
    return Block(width, paths, reduction, [])


def block_c(width: int, inner: int) -> Block:
    """At 17 pixels, where 7 × 7 is a row and a column."""
    single = [("branch7x7_1", inner, 1, 1), ("branch7x7_2", inner, 1, 7)]
    double = [
        ("branch7x7dbl_1", inner, 1, 1),
        ("branch7x7dbl_2", inner, 7, 1),
        ("branch7x7dbl_3", inner, 1, 7),
        ("branch7x7dbl_4", inner, 7, 1),
    ]
    paths = [
        [("branch1x1", 192, 1, 1)],
        [*single, ("branch7x7_3", 192, 7, 1)],
        [*double, ("branch7x7dbl_5", 192, 1, 7)],
    ]
    return Block(width, paths, average, [("branch_pool", 192, 1, 1)])


def block_d(width: int) -> Block:
    """From 17 pixels to 8."""
    rows = [
        ("branch7x7x3_1", 192, 1, 1),
        ("branch7x7x3_2", 192, 1, 7),
        ("branch7x7x3_3", 192, 7, 1),
    ]
    paths = [
        [("branch3x3_1", 192, 1, 1), ("branch3x3_2", 320, 3, 3)],
        [*rows, ("branch7x7x3_4", 192, 3, 3)],
    ]
    return Block(width, paths, reduction, [])


def block_e(width: int, pool: Callable[[Tensor], Tensor]) -> Block:
    """At 8 pixels, where 3 × 3 is a row beside a column."""
    single = ("branch3x3_1", 384, 1, 1)
    double = [("branch3x3dbl_1", 448, 1, 1), ("branch3x3dbl_2", 384, 3, 3)]
    paths = [
        [("branch1x1", 320, 1, 1)],
        [single, ("branch3x3_2a", 384, 1, 3)],
        [single, ("branch3x3_2b", 384, 3, 1)],
        [*double, ("branch3x3dbl_3a", 384, 1, 3)],
        [*double, ("branch3x3dbl_3b", 384, 3, 1)],
    ]
    return Block(width, paths, pool, [("branch_pool", 192, 1, 1)])


class InceptionV3(nn.Module):
    """299 × 299 pixels in (x - 128) / 128 -> 2,048 numbers (pool3)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, (3, 3), 2, (0, 0))
        self.Conv2d_2a_3x3 = Conv(32, 32, (3, 3), 1, (0, 0))
        self.Conv2d_2b_3x3 = Conv(32, 64, (3, 3), 1, (1, 1))
        self.Conv2d_3b_1x1 = Conv(64, 80, (1, 1), 1, (0, 0))
        self.Conv2d_4a_3x3 = Conv(80, 192, (3, 3), 1, (0, 0))
        self.Mixed_5b = block_a(192, 32)
        self.Mixed_5c = block_a(256, 64)
        self.Mixed_5d = block_a(288, 64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b = block_c(768, 128)
        self.Mixed_6c = block_c(768, 160)
        self.Mixed_6d = block_c(768, 160)
        self.Mixed_6e = block_c(768, 192)
        self.Mixed_7a = block_d(768)
        self.Mixed_7b = block_e(1280, average)
        self.Mixed_7c = block_e(2048, maximum)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 299, 299] -> [B, 2048]."""
        for name, module in self.named_children():
            x = module(x)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = reduction(x)
        return x.mean((2, 3))
