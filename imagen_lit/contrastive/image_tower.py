"""The image tower: a small convolutional network that knows where things are.

Each level halves the edge and doubles the channels, down to 4x4; that map is read out whole, not
averaged, so that left and right, above and below stay apart. Normalised by groups, so that an
image's feature does not depend on its batch.
"""

import math

from torch import Tensor, nn

from imagen_lit.basics.errors import InputError

SIZES = (16, 32, 64, 128, 256)
LAST_EDGE = 4
GROUP = 8  # channels that are normalised together


class ImageTower(nn.Module):
    """Images [B, 3, size, size] in [-1, 1] -> features [B, width]."""

    def __init__(self, size: int, channels: int, width: int) -> None:
        super().__init__()
        require_size("size", size)
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, stride=2, padding=1)]
        edge = size // 2
        while edge > LAST_EDGE:
            layers += [_norm(channels), nn.SiLU()]
            layers.append(nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1))
            edge, channels = edge // 2, 2 * channels
            layers.append(ResidualBlock(channels))
        self.layers = nn.Sequential(*layers, _norm(channels), nn.SiLU(), nn.Flatten())
        self.out = nn.Linear(channels * edge * edge, width)

    def forward(self, images: Tensor) -> Tensor:
        """The features, not normalised."""
        return self.out(self.layers(images))


class ResidualBlock(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(_norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)),
            *(_norm(channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.layers(x)


def require_size(name: str, size: int) -> None:
    """Raise unless images of this edge can be halved down to the last."""
    if size not in SIZES:
        raise InputError(
            f"{name}={size} is none of {', '.join(map(str, SIZES))}. Set {name}=64, for example."
        )


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(channels, max(1, channels // GROUP)), channels)
