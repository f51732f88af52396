"""EfficientNet-Lite0 (Tan & Le 2019, Table 1; the Lite variant: no squeeze-and-excitation, ReLU6,
and a stem and a head of fixed width). The names are those of the public weights."""

from torch import Tensor, nn
from torch.nn.functional import pad, relu6

# Repeats, kernel, stride of the first, expansion, channels.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding: the output has ceil(size / stride) pixels, and where
    the padding is odd, the end gets one more than the beginning."""

    def __init__(self, width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)]."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        sides: list[int] = []
        for size in (x.shape[3], x.shape[2]):
            amount = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [amount // 2, amount - amount // 2]
        return super().forward(pad(x, sides) if any(sides) else x)


def norm(width: int) -> nn.BatchNorm2d:
    """Batch normalisation with TensorFlow's epsilon."""
    return nn.BatchNorm2d(width, eps=1e-3)


class Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018): widen, mix each channel in space, narrow."""

    def __init__(self, width: int, kernel: int, stride: int, expansion: int, out: int) -> None:
        super().__init__()
        inner = width * expansion
        self.is_residual = stride == 1 and width == out
        if expansion != 1:
            self._expand_conv, self._bn0 = SameConv(width, inner, 1), norm(inner)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = norm(inner)
        self._project_conv, self._bn2 = SameConv(inner, out, 1), norm(out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> [B, out, H / stride, W / stride]."""
        y = relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """224 × 224 pixels -> 1,280 numbers; `logits` has ImageNet's 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, STEM, 3, 2), norm(STEM)
        blocks, width = [], STEM
        for repeats, kernel, stride, expansion, out in GROUPS:
            for number in range(repeats):
                blocks.append(Block(width, kernel, stride if number == 0 else 1, expansion, out))
                width = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(width, HEAD, 1), norm(HEAD)
        self._fc = nn.Linear(HEAD, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, 224, 224] -> [B, 1280], the mean over pixels."""
        x = relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def logits(self, x: Tensor) -> Tensor:
        """[B, 3, 224, 224] -> [B, 1000]."""
        return self._fc(self(x))
