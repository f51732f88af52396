"""The laws of the endless shuffle order, and of its slices for ranks."""

from collections import Counter
from itertools import chain, islice

import numpy as np
import pytest

from imagen_lit.data.batch_sampler import BatchSlices, images_per_rank
from imagen_lit.data.shuffle_order import CROP, FLIP, Order, draw

SETS = [([5], 1), ([3, 0, 4, 1], 1), ([7, 7, 7, 7, 7], 2), ([0, 0, 2, 0], 3), ([10, 1, 30], 64)]


def batches(order: Order, batch: int, rank: int, world: int, start: int, count: int) -> list:
    return list(islice(BatchSlices(order, batch, rank, world, start), count))


@pytest.mark.parametrize(("counts", "window"), SETS)
def test_a_pass_visits_every_sample_exactly_once(counts: list[int], window: int) -> None:
    order = Order(counts, seed=3, window=window)
    everything = {(shard, n) for shard, count in enumerate(counts) for n in range(count)}
    for turn in range(3):
        start = turn * order.samples
        visited = Counter(order[p] for p in range(start, start + order.samples))
        assert visited == Counter(everything)


@pytest.mark.parametrize(("counts", "window"), SETS)
def test_the_stream_from_n_is_the_stream_from_0_without_its_first_n(
    counts: list[int], window: int
) -> None:
    whole = [p for batch in batches(Order(counts, 1, window), 4, 0, 1, 0, 30) for p in batch]
    for n in (1, 4, 11, 57):
        later = batches(Order(counts, 1, window), 4, 0, 1, n, 10)
        assert [p for batch in later for p in batch] == whole[n : n + 40]


@pytest.mark.parametrize("world", [1, 2, 3, 4, 6, 12])
def test_the_ranks_share_each_global_batch_without_overlap(world: int) -> None:
    order = Order([7, 5, 9], seed=0, window=2)
    whole = batches(order, 12, 0, 1, 24, 9)
    slices = [batches(order, 12, rank, world, 24, 9) for rank in range(world)]
    assert [list(chain(*parts)) for parts in zip(*slices, strict=True)] == whole


def test_passes_and_seeds_differ_in_their_order() -> None:
    order = Order([50, 50], seed=0)
    orders = {
        tuple(order[p] for p in range(0, 100)),
        tuple(order[p] for p in range(100, 200)),
        tuple(Order([50, 50], seed=1)[p] for p in range(100)),
    }
    assert len(orders) == 3


def test_a_window_holds_samples_of_its_own_shards_only_and_mixes_them() -> None:
    order = Order([100] * 12, seed=5, window=3)
    for start in range(0, 1200, 300):
        shards = [order[p][0] for p in range(start, start + 300)]
        assert len(set(shards)) == 3
        # 32 neighbours miss one of three shards with a chance of 3 (2/3)^32, about 1 in 140,000.
        assert all(len(set(shards[i : i + 32])) == 3 for i in range(0, 256, 32))


def test_every_sample_is_as_likely_at_every_place() -> None:
    first = Counter(Order([3, 3], seed=seed, window=1)[0] for seed in range(3000))
    # Six samples, 500 expected each, with a standard deviation of 20.4.
    assert all(abs(first[shard, n] - 500) < 5 * 20.4 for shard in range(2) for n in range(3))


def test_drawn_numbers_depend_on_every_integer_of_their_key() -> None:
    keys = [(0, CROP, 0), (1, CROP, 0), (0, FLIP, 0), (0, CROP, 1), (1 << 32, CROP, 0)]
    keys += [(0, CROP, 1 << 32), (1, CROP, 1 << 32), (1 << 32, CROP, 1)]
    numbers = [int(draw(*key, count=1)[0]) for key in keys]
    numbers += [int(draw(0, CROP, 0, count=1, detail=1)[0])]
    assert len(set(numbers)) == len(numbers)
    assert np.array_equal(draw(0, CROP, 0, 8)[:3], draw(0, CROP, 0, 3))


def test_drawn_numbers_are_philox_of_a_seed_sequence() -> None:
    """Checkpoints rely on these numbers staying the same."""
    key = np.random.SeedSequence([CROP, 0, 0, 7, 1, 5])
    assert np.array_equal(draw(7, CROP, (1 << 32) + 5, 4), np.random.Philox(key).random_raw(4))


def test_a_batch_that_ranks_cannot_share_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"batch_size=10 .* multiple of their number, 4"):
        images_per_rank(10, 4)


def test_no_samples_are_an_error() -> None:
    with pytest.raises(ValueError, match="no sample"):
        Order([0, 0], seed=0)


def test_of_an_enormous_batch_only_one_micro_batch_is_located_at_a_time() -> None:
    images = 2**50
    batches = iter(BatchSlices(Order([3, 5], seed=0), images, 0, 1, 0, images // 8))
    positions = [position for _ in range(3) for position, *_ in next(batches)]
    assert positions == list(range(24))
