"""The only source of randomness in the diffusion code: (seed, position, purpose) -> numbers.

There is no state, and no order of draws. Every image has its own stream of numbers for every
purpose ("noise", "augmentation", "step 7"), computed from its position, so that its numbers do not
depend on its batch, its rank, or what was drawn before, bit for bit. In training the position is
the image's index in the endless stream; in sampling, the number of the image.

All numbers are drawn on the CPU as float32 and are the same on every machine with the same NumPy.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.random import Generator, Philox, SeedSequence
from torch import Tensor

Positions = Tensor | Sequence[int]  # int64 [B], not negative

GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio


def normal(seed: int, positions: Positions, purpose: str, shape: Sequence[int]) -> Tensor:
    """Standard normal numbers [B, *shape]."""
    positions = torch.as_tensor(positions).tolist()
    numbers = np.empty((len(positions), *shape), dtype=np.float32)
    for i, generator in enumerate(_generators(seed, positions, purpose)):
        generator.standard_normal(out=numbers[i : i + 1], dtype=np.float32)
    return torch.from_numpy(numbers)


def uniform(seed: int, positions: Positions, purpose: str) -> Tensor:
    """One number in [0, 1) for each image [B], independent of all others."""
    generators = _generators(seed, torch.as_tensor(positions).tolist(), purpose)
    return torch.tensor([g.random(dtype=np.float32) for g in generators])


def times(seed: int, positions: Positions, purpose: str = "time") -> Tensor:
    """One time in [0, 1) for each image [B]; any run of consecutive positions is spread evenly.

    A walk around a circle in steps of the golden ratio from a start that depends on the seed (Weyl;
    cf. Kingma et al. 2021, App. I.1, for why evenly spread times make the loss less noisy). The
    walk is exact in 64-bit integers, so that it is as even at position 10^12 as at 0.
    """
    start = next(_generators(seed, [0], purpose)).integers(2**64, dtype=np.uint64)
    steps = np.asarray(torch.as_tensor(positions).tolist(), dtype=np.uint64)
    circle = steps * np.uint64(GOLDEN) + start  # modulo 2^64
    return torch.from_numpy((circle >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))


def _generators(seed: int, positions: Sequence[int], purpose: str) -> Iterator[Generator]:
    """Philox is a function of a key and a counter. Seed and purpose are mixed into the key, and the
    position is a high word of the counter: streams lie 2^128 blocks apart and never meet."""
    sequence = SeedSequence(seed, spawn_key=tuple(purpose.encode()))
    key = sequence.generate_state(2, np.uint64)
    for position in positions:
        yield Generator(Philox(key=key, counter=[0, 0, position, 0]))
