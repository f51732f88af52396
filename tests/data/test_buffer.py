"""A buffer mixes what it is given, keeps all of it, and holds only so much."""

from collections.abc import Iterator
from typing import Any

import torch

from imagen_lit.data.buffer import mixed


class Stream:
    """Samples of so many bytes; `taken` says how many the buffer has asked for."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size, self.taken = count, size, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self.count):
            self.taken += 1
            yield {"key": number, "image": bytes(self.size), "text": torch.zeros(2)}


def test_every_sample_comes_once_in_an_order_of_the_seed() -> None:
    orders = [[s["key"] for s in mixed(Stream(3000, 5), seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(3000)) != orders[0]
    far = [abs(place - key) for place, key in enumerate(orders[0])]
    assert sum(far) / len(far) > 300


def test_what_is_held_is_bounded_in_samples_and_in_bytes() -> None:
    for size, most in ((5, 1000), (1000, 64)):
        stream = Stream(3000, size)
        for given, _ in enumerate(mixed(stream, 0, most_bytes=64 * 1008), 1):
            assert stream.taken - given <= most


def test_the_first_comes_before_the_buffer_is_full() -> None:
    stream = Stream(3000, 5)
    next(mixed(stream, 0))
    assert stream.taken == 100
