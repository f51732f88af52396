"""The samples of a stream, shuffled in a buffer that is bounded in samples and in bytes.

While it grows it takes in two samples for each one that it yields, so the first comes soon. An
image may have 32 MiB: a bound on the number alone would not bound the memory.
"""

import random
from collections.abc import Iterable, Iterator
from typing import Any

MAX_SAMPLES = 1000
MIN_SAMPLES = 100  # in the buffer before the first is yielded
MAX_BYTES = 128 << 20  # of images, not yet decoded, and of their text


def shuffle(
    samples: Iterable[dict[str, Any]],
    seed: int,
    max_samples: int = MAX_SAMPLES,
    max_bytes: int = MAX_BYTES,
) -> Iterator[dict[str, Any]]:
    """All of `samples`, which have an `image` (bytes) and a `text` (a tensor), in another order."""
    rng, buffer, size = random.Random(seed), [], 0
    for number, sample in enumerate(samples):
        buffer.append(sample)
        size += _size(sample)
        is_full = len(buffer) >= max_samples or size > max_bytes
        if is_full or (len(buffer) >= MIN_SAMPLES and number % 2):
            while buffer:
                choice = _pop(buffer, rng)
                size -= _size(choice)
                yield choice
                if len(buffer) < max_samples and size <= max_bytes:
                    break
    while buffer:
        yield _pop(buffer, rng)


def _size(sample: dict[str, Any]) -> int:
    return len(sample["image"]) + sample["text"].nbytes


def _pop(buffer: list[dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    place = rng.randrange(len(buffer))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()
