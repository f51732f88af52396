"""Several collections in one stream: by weight, without gap, from one integer."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import sample

from imagen_lit.basics.errors import InputError
from imagen_lit.data import sidecar
from imagen_lit.data.loader import Data
from imagen_lit.data.mixture import BLOCK, Mixture, quotas
from imagen_lit.data.shuffle_order import Order


def orders(*sizes: int) -> list[Order]:
    return [Order([size], seed=number) for number, size in enumerate(sizes)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.6, 100), min_size=1, max_size=6))
def test_quotas_are_whole_numbers_near_the_weights(weights: list[float]) -> None:
    counts = quotas(weights)
    assert sum(counts) == BLOCK and min(counts) >= 1
    for count, weight in zip(counts, weights, strict=True):
        assert abs(count - BLOCK * weight / sum(weights)) <= len(weights)


def test_each_stream_is_visited_from_its_beginning_without_a_gap() -> None:
    parts = orders(70, 300, 11)
    mixed = Mixture(parts, [5, 3, 2], seed=4)
    places: list[list[tuple[int, int]]] = [[], [], []]
    for position in range(2 * BLOCK + 123):
        stream, *place = mixed[position]
        places[stream].append(tuple(place))
    for stream, part in enumerate(parts):
        assert places[stream] == [part[n] for n in range(len(places[stream]))]
    assert [len(each) for each in places] == pytest.approx([1061, 637, 425], abs=20)


@pytest.mark.parametrize(("prior", "counts"), [(1, [4, 4]), (3, [2, 6]), (1 / 3, [6, 2])])
def test_every_batch_of_a_block_has_exactly_its_shares(prior: float, counts: list[int]) -> None:
    mixed = Mixture(orders(8, 50), [1, prior], seed=4, block=8)
    streams = np.array([mixed[n][0] for n in range(80)]).reshape(10, 8)
    assert all(np.bincount(batch).tolist() == counts for batch in streams)
    assert len({tuple(batch) for batch in streams.tolist()}) > 1, "in an order of its own"


def test_shares_that_do_not_divide_a_batch_are_refused() -> None:
    with pytest.raises(InputError, match=r"do not divide data\.mixture_block=8.*data\.batch_size"):
        Mixture(orders(8, 50), [1, 0.5], seed=0, block=8)


def test_one_stream_alone_is_itself() -> None:
    (alone,) = orders(37)
    mixed = Mixture([alone], [3.0], seed=0)
    assert [mixed[n] for n in range(1500)] == [(0, *alone[n]) for n in range(1500)]


def test_a_mixture_in_training_follows_its_weights_and_resumes(make: Callable[..., Path]) -> None:
    large, small = make(20, 20), make(5)

    def samples_from(start: int) -> list[tuple[str, bytes]]:
        mixed = [{"shards": str(small), "weight": 1}]
        data = Data(str(large), "fake", 8, 50, validation=3, weight=4, mixed_with=mixed)
        data.start_at(start)
        batches = islice(data.train_dataloader(), 20)
        return [
            (caption, image.numpy().tobytes())
            for b in batches
            for caption, image in zip(b["caption"], b["image"], strict=True)
        ]

    whole = samples_from(0)
    assert samples_from(300)[:700] == whole[300:]
    counts = Counter(caption for caption, _ in whole)
    # The five of the small folder are the first five of the large one too: 200 of 1000 and theirs.
    often = sum(n for caption, n in counts.items() if int(caption.split()[1]) < 5)
    assert 200 <= often <= 320


def test_a_folder_mixed_in_may_have_a_filter_of_its_own(make: Callable[..., Path]) -> None:
    large, small = make(20), make(12)
    mixed = [{"shards": str(small), "weight": 1, "filter": {"caption_length": [None, 11]}}]
    data = Data(str(large), "fake", 8, 40, validation=0, mixed_with=mixed)
    data.setup()
    assert data._shard_sets[0].selection.training.sum() == 20
    short = sum(len(sample(n)["caption"]) <= 11 for n in range(12))
    assert data._shard_sets[1].selection.training.sum() == short < 12


def test_validation_samples_stay_out_when_their_folder_is_mixed_in_again(
    make: Callable[..., Path],
) -> None:
    folder = make(20, 20)
    (folder.parent / "link").symlink_to(folder)
    for name in (folder, folder.parent / "link"):
        text = str(sidecar.default_folder(folder, "fake"))
        mixed = [{"shards": str(name), "text": text, "filter": {"caption_length": [12, None]}}]
        data = Data(str(folder), "fake", 8, 10, validation=8, mixed_with=mixed)
        data.setup()
        validation = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
        training = {key for batch in islice(data.train_dataloader(), 40) for key in batch["key"]}
        assert len(validation) == 8 and len(training) == 32 and not validation & training


def test_a_mixture_opens_each_shard_once_per_window(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = (make(*[2] * 70) for _ in range(3))
    mixed = [{"shards": str(each)} for each in others]
    data = Data(str(first), "fake", 8, 42, validation=0, mixed_with=mixed)
    data.setup()
    counts = Counter()
    plain = sidecar.open_checked

    def count(path: Path, shard: Any) -> Any:
        counts[path] += 1
        return plain(path, shard)

    monkeypatch.setattr(sidecar, "open_checked", count)
    samples = [key for batch in islice(data.train_dataloader(), 10) for key in batch["key"]]
    assert len(samples) == 420 and len(counts) >= 200
    assert sum(counts.values()) <= 1.15 * len(counts)


def test_a_weight_too_small_for_a_block_is_not_silently_raised() -> None:
    assert quotas([1, BLOCK - 1]) == [1, BLOCK - 1]
    for weights in ([1, 1e-4], [1] * (BLOCK + 1)):
        with pytest.raises(ValueError, match=r"less than a 1000th of all\. Set larger"):
            Mixture(orders(*[3] * len(weights)), weights, seed=0)


def test_a_weight_of_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Mixture(orders(3, 3), [1, 0], seed=0)
