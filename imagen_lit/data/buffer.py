"""The samples of a stream, mixed in a buffer that is bounded in samples and in bytes.

While it grows it takes in two for each that it gives away, so the first comes soon. A picture may
have 32 MiB: a bound on the number alone would be none on memory.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

SAMPLES = 1000
AT_FIRST = 100  # samples taken in before the first is given away
BYTES = 128 << 20  # of pictures, not yet decoded, and of their text


def mixed(
    samples: Iterable[dict[str, Any]], seed: int, most: int = SAMPLES, most_bytes: int = BYTES
) -> Iterator[dict[str, Any]]:
    """All of `samples`, which have an `image` (bytes) and a `text` (a tensor), in another order."""
    rng, held, size = random.Random(seed), [], 0
    for number, sample in enumerate(samples):
        held.append(sample)
        size += _size(sample)
        full = len(held) >= most or size > most_bytes
        if full or (len(held) >= AT_FIRST and number % 2):
            while held:
                size -= _size(taken := _pick(held, rng))
                yield taken
                if len(held) < most and size <= most_bytes:
                    break
    while held:
        yield _pick(held, rng)


def _size(sample: dict[str, Any]) -> int:
    return len(sample["image"]) + sample["text"].nbytes


def _pick(held: list[dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    place = rng.randrange(len(held))
    held[place], held[-1] = held[-1], held[place]
    return held.pop()
