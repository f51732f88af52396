"""A filter counts exactly, chooses by what is known, and is the same choice for everybody."""

import tracemalloc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_world import jpeg, sample

from imagen_lit.data import facts, shard
from imagen_lit.data.collection import Collection
from imagen_lit.data.filter import Filter
from imagen_lit.data.loader import Data
from imagen_lit.data.seen import Seen
from imagen_lit.data.selection import select

Make = Callable[..., Path]


def grey(edge: int = 32) -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (edge, edge), (255, 255, 255)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(make: Make) -> Path:
    """Twelve samples, of which each odd one is out for a reason of its own."""

    def known(**facts: Any) -> dict[str, Any]:
        return {"known": {"aesthetic": 6.0, "original_width": 512, "original_height": 512} | facts}

    changes = {n: known() for n in range(12)}
    changes[0] = known() | {"image": jpeg(13)}  # number 0 itself is all black
    changes[1] = known(original_width=100)
    changes[3] = known(original_width=2048)
    changes[5] = known(aesthetic=4.9)
    changes[7] = {"known": {"original_width": 512, "original_height": 512}}  # not rated at all
    changes[9] = known() | {"image": b"\xff\xd8\xff broken"}
    changes[11] = known() | {"image": grey(), "extension": "png"}
    changes[8] = known() | {"caption": "Picture  4 of a thing"}  # as number 4 says
    return make(7, 5, changes=changes)


def test_what_is_known_is_found_and_kept(folder: Path) -> None:
    found = facts.of(folder / "00000.tar")
    assert found["width"].tolist() == [512, 100, 512, 2048, 512, 512, 512]
    assert found["aesthetic"].tolist()[:6] == [6, 6, 6, 6, 6, pytest.approx(4.9)]
    assert found["caption_length"].tolist() == [len(sample(n)["caption"]) for n in range(7)]
    assert (found["contrast"] > 3).all()
    kept = shard.meta(folder) / "00000.facts.safetensors"
    before = kept.stat().st_mtime_ns
    facts.of(folder / "00000.tar")
    assert kept.stat().st_mtime_ns == before
    later = facts.of(folder / "00001.tar")
    assert later["width"].tolist()[2] == 0  # its .json says 512; it still cannot be read
    assert np.isnan(later["aesthetic"][0])
    assert later["contrast"][4] == 0


def rows(folder: Path, chosen: Filter | None) -> list[int]:
    shards = Collection(folder)
    selection = select(shards, chosen, 0)
    found = []
    for number in range(len(shards)):
        opened = shards.open(number)
        kept = selection.rows(number, opened.index.hashes, held=False)
        found += [int(opened.key(row)) for row in kept]
    return found


@pytest.mark.parametrize(
    ("asked", "out"),
    [
        ({}, set()),
        ({"min_side": 256}, {1}),
        ({"max_aspect": 3}, {1, 3}),
        ({"fields": {"aesthetic": [5, None]}}, {5, 7}),
        ({"fields": {"aesthetic": [None, 5]}}, set(range(12)) - {5}),
        ({"min_contrast": 1}, {11}),
        ({"distinct_captions": True}, {8}),
        ({"caption_length": [None, 11]}, {n for n in range(12) if len(sample(n)["caption"]) > 11}
         | {8}),
    ],
)  # fmt: skip
def test_each_bound_leaves_out_what_it_says_and_what_cannot_be_read(
    folder: Path, asked: dict, out: set[int]
) -> None:
    out = out | ({9} if asked else set())
    assert rows(folder, Filter(**asked)) == [n for n in range(12) if n not in out]


def test_the_reasons_and_what_remains_add_up(folder: Path) -> None:
    chosen = Filter(min_side=256, max_aspect=3, min_contrast=1, fields={"aesthetic": [5, None]})
    selection = select(Collection(folder), chosen, 0)
    assert selection.reasons == {
        "unreadable": 1,
        "side < 256": 1,
        "aspect > 3": 1,
        "contrast < 1": 1,
        "aesthetic outside [5, ]": 2,
    }
    assert sum(selection.training) == 12 - 6


def test_the_choice_is_kept_beside_the_folder_and_made_anew_when_a_shard_changes(
    make: Make,
) -> None:
    folder = make(4, 4)
    chosen = Filter(caption_length=[None, 11])
    first = select(Collection(folder), chosen, 0.3)
    (kept,) = shard.meta(folder).glob("selection-*.safetensors")
    before = kept.stat().st_mtime_ns
    again = select(Collection(folder), chosen, 0.3)
    assert kept.stat().st_mtime_ns == before
    assert (again.training == first.training).all() and again.threshold == first.threshold
    samples = [sample(n, caption="a caption that is too long by far") for n in range(4, 8)]
    shard.write(folder / "00001.tar", samples)
    assert select(Collection(folder), chosen, 0).training.tolist()[1] == 0


def test_training_sees_what_is_chosen_and_nothing_else(folder: Path) -> None:
    chosen = Filter(min_side=256, fields={"aesthetic": [5, None]}, min_contrast=1)
    data = Data(str(folder), "fake", 16, 12, validation=2, filter=chosen)
    data.setup()
    few = islice(data.train_dataloader(), 4)
    seen = {key for batch in few for key in batch["key"]}
    held = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
    wanted = {sample(n)["key"] for n in (0, 2, 3, 4, 6, 8, 10)}
    assert len(held) == 2 and seen | held == wanted and not seen & held
    assert data.tally.replaced == 0


def test_a_filter_that_leaves_nothing_says_why(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"leaves none of the 12 samples .*1 unreadable, 11 side < 5000"
    ):
        select(Collection(folder), Filter(min_side=5000), 0)


@pytest.mark.parametrize(
    "asked",
    [
        {"fields": {"aesthetic": [5, 3]}},
        {"fields": {"aesthetic": 5}},
        {"fields": {"aesthetic": ["a", None]}},
        {"fields": {"aesthetic": [1, 2, 3]}},
        {"fields": [5]},
        {"caption_length": ["a", "b"]},
        {"caption_length": [float("nan"), None]},
        {"caption_length": "ab"},
        {"min_side": "a"},
        {"min_side": None},
        {"min_side": True},
        {"max_aspect": [3]},
        {"distinct_captions": 1},
    ],
    ids=str,
)
def test_a_bound_that_is_none_is_an_error_in_words(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no \[lowest, highest\]|expected") as found:
        Filter(**asked)
    assert next(iter(asked)) in str(found.value) or "aesthetic" in str(found.value)


@pytest.mark.parametrize("name", facts.OWN)
def test_a_field_that_is_ours_is_refused_with_the_words_for_it(name: str) -> None:
    with pytest.raises(ValueError, match=f"fields={{{name}: …}}.*ask by min_side"):
        Filter(fields={name: [1, None]})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=12))
def test_the_first_of_its_kind_stays_and_no_other(parts: list[list[int]]) -> None:
    seen, before = Seen(), set()
    for part in parts:
        expected = []
        for number in part:
            expected.append(number not in before)
            before.add(number)
        assert seen.first(np.array(part, np.int64)).tolist() == expected


def test_what_was_seen_takes_eight_bytes_each() -> None:
    seen, rng = Seen(), np.random.default_rng(0)
    tracemalloc.start()
    for _ in range(200):
        seen.first(rng.integers(0, 1 << 62, 5_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1.1 * 8 * 200 * 5_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"shards": "x", "wieght": 0.2}, "'wieght': expected shards, text, weight, filter"),
        ({"shards": "x", "fitler": {"min_side": 9}}, "'fitler': expected shards, text"),
        ({"shards": "x", "filter": {"min_sied": 9}}, "'min_sied': expected min_side, max_aspect"),
        ({"shards": "x", "filter": {"min_side": "a"}}, "min_side='a': expected a number"),
        ({"shards": "x", "filter": [1]}, r"filter=\[1\]: expected"),
        ({"shards": "x", "weight": "a"}, "weight='a': expected a number above zero"),
        ({"shards": "x", "weight": -1}, "weight=-1: expected a number above zero"),
        ({"shards": "x", "weight": float("nan")}, "weight=nan: expected a number above zero"),
        ({"weight": 1.0}, "shards=None: expected a name"),
        ({"shards": "x", "text": 3}, "text=3: expected a name"),
        ("x", "'x' as a folder of data.mixed_with"),
    ],
)
def test_a_mixture_that_is_misspelt_is_an_error_in_words(words: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Data("nowhere", "fake", 16, 12, mixed_with=[words])
