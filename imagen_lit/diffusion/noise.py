"""The only source of randomness in the diffusion code: (seed, position, purpose) -> numbers.

There is no state, and no order of draws. Every image has its own stream of numbers for every
purpose ("noise", "augmentation", "step 7"), computed from its position, so that its numbers do not
depend on its batch, its rank, or what was drawn before, bit for bit. In training the position is
the image's index in the endless stream; in sampling, the number of the image.

All numbers are computed where the positions are, by integer operations of torch that give the same
bits on every device; only the last step to normal numbers rounds as the device does. The generator
is SplitMix64 (Steele, Lea, Flood 2014, fig. 17) with a second key: word i of a stream with the keys
(a, b) is

    z = a + i * 0x9E3779B97F4A7C15         modulo 2^64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 ^ b
    z = (z ^ z >> 27) * 0x94D049BB133111EB
    z ^ z >> 31

Streams of different b have nothing in common where their values of a should meet.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

Positions = Tensor | Sequence[int]  # int64 [B], not negative


def normal(seed: int, positions: Positions, purpose: str, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers [B, *shape], in pairs: a radius, and an angle. Box & Muller 1958."""
    keys = _keys(seed, positions, purpose)
    count = math.prod(shape)
    words = max(2, -(-count // 4))  # two words are four numbers; of one, torch shows no halves
    share = _halves(keys, 0, words).abs_().mul_(2.0**-31).clamp_(min=2.0**-32)
    angle = _halves(keys, words, words).mul_(math.pi * 2.0**-31)
    radius = share.log_().mul_(-2).sqrt_()
    numbers = torch.stack([angle.cos(), angle.sin()], dim=1).mul_(radius.unsqueeze(1))
    return numbers.flatten(1)[:, :count].reshape(len(numbers), *shape)


def uniform(seed: int, positions: Positions, purpose: str) -> Tensor:
    """One number in [0, 1) for each image [B], independent of all others."""
    return _share(_words(_keys(seed, positions, purpose), 0, 1)[:, 0])


def times(seed: int, positions: Positions, purpose: str = "time") -> Tensor:
    """One time in [0, 1) for each image [B]; any run of consecutive positions is spread evenly.

    A walk around a circle in steps of the golden ratio from a start that depends on the seed (Weyl;
    cf. Kingma et al. 2021, App. I.1, for why evenly spread times make the loss less noisy). The
    walk is exact in 64-bit integers, so that it is as even at position 10^12 as at 0.
    """
    start, _ = _seed_keys(seed, purpose)
    return _share(torch.as_tensor(positions, dtype=torch.int64) * GOLDEN + start)


def _share(words: Tensor) -> Tensor:
    """In [0, 1), from the highest 24 bits: as many as a float32 holds."""
    return ((words >> 40) & 0xFFFFFF).float() * 2.0**-24


def _halves(keys: tuple[Tensor, Tensor], first: int, words: int) -> Tensor:
    """Words as float32 [B, 2 * words], evenly spread from -2^31 to 2^31."""
    return _words(keys, first, words).view(torch.int32).float()


def _words(keys: tuple[Tensor, Tensor], first: int, count: int) -> Tensor:
    """Words `first` to `first + count` of each stream, int64 [B, count]."""
    a, b = keys
    return _mix(torch.arange(first, first + count, device=a.device) * GOLDEN + a, b)


def _keys(seed: int, positions: Positions, purpose: str) -> tuple[Tensor, Tensor]:
    """The two keys of each position [B, 1]: words of the two streams of (seed, purpose)."""
    steps = torch.as_tensor(positions, dtype=torch.int64).unsqueeze(1) * GOLDEN
    a, b = _seed_keys(seed, purpose)
    return _mix(steps + a, 0), _mix(steps + b, 0)


@torch.compiler.assume_constant_result
def _seed_keys(seed: int, purpose: str) -> tuple[int, int]:
    digest = hashlib.blake2b(f"{seed} {purpose}".encode(), digest_size=16).digest()
    return _signed(int.from_bytes(digest[:8])), _signed(int.from_bytes(digest[8:]))


def _mix(z: Tensor, key: Tensor | int) -> Tensor:
    """The function above, in place. Torch shifts with sign, so the new bits are masked."""
    z ^= (z >> 30).bitwise_and_(2**34 - 1)
    z *= FIRST
    z ^= key
    z ^= (z >> 27).bitwise_and_(2**37 - 1)
    z *= SECOND
    z ^= (z >> 31).bitwise_and_(2**33 - 1)
    return z


def _signed(word: int) -> int:
    """The same 64 bits as torch's int64 has them."""
    return word - 2**64 if word >= 2**63 else word


GOLDEN = _signed(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio
FIRST, SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)
