"""Several collections in one stream: by weight, without gap, from one integer."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import sample

from imagen_lit.data import sidecar
from imagen_lit.data.loader import Data
from imagen_lit.data.mixture import BLOCK, Mixture, quotas
from imagen_lit.data.stream import Order


def orders(*sizes: int) -> list[Order]:
    return [Order([size], seed=number) for number, size in enumerate(sizes)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.6, 100), min_size=1, max_size=6))
def test_shares_are_whole_and_near_the_weights(weights: list[float]) -> None:
    found = quotas(weights)
    assert sum(found) == BLOCK and min(found) >= 1
    for share, weight in zip(found, weights, strict=True):
        assert abs(share - BLOCK * weight / sum(weights)) <= len(weights)


def test_each_stream_is_seen_from_its_beginning_without_gap() -> None:
    parts = orders(70, 300, 11)
    mixed = Mixture(parts, [5, 3, 2], seed=4)
    seen: list[list[tuple[int, int]]] = [[], [], []]
    for position in range(2 * BLOCK + 123):
        stream, *place = mixed[position]
        seen[stream].append(tuple(place))
    for stream, part in enumerate(parts):
        assert seen[stream] == [part[n] for n in range(len(seen[stream]))]
    assert [len(s) for s in seen] == pytest.approx([1061, 637, 425], abs=20)


def test_one_stream_alone_is_itself() -> None:
    (alone,) = orders(37)
    mixed = Mixture([alone], [3.0], seed=0)
    assert [mixed[n] for n in range(1500)] == [(0, *alone[n]) for n in range(1500)]


def test_a_mixture_in_training_follows_its_weights_and_resumes(make: Callable[..., Path]) -> None:
    large, small = make(20, 20), make(5)

    def opened(start: int) -> list[tuple[str, bytes]]:
        mixed = [{"shards": str(small), "weight": 1}]
        data = Data(str(large), "fake", 8, 50, validation=3, weight=4, mixed_with=mixed)
        data.start_at(start)
        batches = islice(data.train_dataloader(), 20)
        return [
            (caption, image.numpy().tobytes())
            for b in batches
            for caption, image in zip(b["caption"], b["image"], strict=True)
        ]

    whole = opened(0)
    assert opened(300)[:700] == whole[300:]
    counts = Counter(caption for caption, _ in whole)
    # The five of the small folder are the first five of the large one too: 200 of 1000 and theirs.
    often = sum(n for caption, n in counts.items() if int(caption.split()[1]) < 5)
    assert 200 <= often <= 320


def test_a_folder_mixed_in_may_have_a_filter_of_its_own(make: Callable[..., Path]) -> None:
    large, small = make(20), make(12)
    mixed = [{"shards": str(small), "weight": 1, "filter": {"caption_length": [None, 11]}}]
    data = Data(str(large), "fake", 8, 40, validation=0, mixed_with=mixed)
    data.setup()
    assert data._parts[0].selection.training.sum() == 20
    short = sum(len(sample(n)["caption"]) <= 11 for n in range(12))
    assert data._parts[1].selection.training.sum() == short < 12


def test_what_is_held_back_is_not_trained_on_through_the_same_folder_mixed_in(
    make: Callable[..., Path],
) -> None:
    folder = make(20, 20)
    (folder.parent / "link").symlink_to(folder)
    for again in (folder, folder.parent / "link"):
        text = str(sidecar.folder(folder, "fake"))
        mixed = [{"shards": str(again), "text": text, "filter": {"caption_length": [12, None]}}]
        data = Data(str(folder), "fake", 8, 10, validation=8, mixed_with=mixed)
        data.setup()
        held = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
        seen = {key for batch in islice(data.train_dataloader(), 40) for key in batch["key"]}
        assert len(held) == 8 and len(seen) == 32 and not held & seen


def test_a_mixture_opens_each_shard_once_a_window(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = (make(*[2] * 70) for _ in range(3))
    mixed = [{"shards": str(each)} for each in others]
    data = Data(str(first), "fake", 8, 42, validation=0, mixed_with=mixed)
    data.setup()
    opened = Counter()
    plain = sidecar.open_checked

    def counted(path: Path, of: Any) -> Any:
        opened[path] += 1
        return plain(path, of)

    monkeypatch.setattr(sidecar, "open_checked", counted)
    samples = [key for batch in islice(data.train_dataloader(), 10) for key in batch["key"]]
    assert len(samples) == 420 and len(opened) >= 200
    assert sum(opened.values()) <= 1.15 * len(opened)


def test_a_weight_too_small_for_a_block_is_not_made_larger_in_silence() -> None:
    assert quotas([1, BLOCK - 1]) == [1, BLOCK - 1]
    for weights in ([1, 1e-4], [1] * (BLOCK + 1)):
        with pytest.raises(ValueError, match="expected each to be at least a 1000th of all"):
            Mixture(orders(*[3] * len(weights)), weights, seed=0)


def test_a_weight_of_zero_is_an_error() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Mixture(orders(3, 3), [1, 0], seed=0)
