"""A buffer shuffles a stream, loses none of it, and is bounded."""

from collections.abc import Iterator
from typing import Any

import torch

from imagen_lit.data.shuffle_buffer import shuffle


class Stream:
    """`count` samples of `size` bytes; `started` is how many the buffer has requested."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size, self.started = count, size, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(self.count):
            self.started += 1
            yield {"key": number, "image": bytes(self.size), "text": torch.zeros(2)}


def test_every_sample_comes_once_in_an_order_of_the_seed() -> None:
    orders = [[s["key"] for s in shuffle(Stream(3000, 5), seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(3000)) != orders[0]
    moves = [abs(place - key) for place, key in enumerate(orders[0])]
    assert sum(moves) / len(moves) > 300


def test_the_buffer_is_bounded_in_samples_and_in_bytes() -> None:
    for size, limit in ((5, 1000), (1000, 64)):
        stream = Stream(3000, size)
        for done, _ in enumerate(shuffle(stream, 0, max_bytes=64 * 1008), 1):
            assert stream.started - done <= limit


def test_the_first_comes_before_the_buffer_is_full() -> None:
    stream = Stream(3000, 5)
    next(shuffle(stream, 0))
    assert stream.started == 100
