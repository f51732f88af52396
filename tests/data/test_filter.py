"""A filter counts exactly, selects by the statistics, and selects the same for everybody."""

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

from imagen_lit import build_shards
from imagen_lit.cli import config
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.loader import Data
from imagen_lit.data.selection import select
from imagen_lit.data.shard_files import index_cache, shard, statistics
from imagen_lit.data.shard_files.collection import Collection

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

    def rated(**changes: Any) -> dict[str, Any]:
        metadata = {"aesthetic": 6.0, "original_width": 512, "original_height": 512}
        return {"metadata": metadata | changes}

    changes = {n: rated() for n in range(12)}
    changes[0] = rated() | {"image": jpeg(13)}  # number 0 itself is all black
    changes[1] = rated(original_width=100)
    changes[3] = rated(original_width=2048)
    changes[5] = rated(aesthetic=4.9)
    changes[7] = {"metadata": {"original_width": 512, "original_height": 512}}  # not rated at all
    changes[9] = rated() | {"image": b"\xff\xd8\xff broken"}
    changes[11] = rated() | {"image": grey(), "extension": "png"}
    changes[8] = rated() | {"caption": "Picture  4 of a thing"}  # as number 4 says
    return make(7, 5, changes=changes)


def test_statistics_are_computed_once_and_cached(folder: Path) -> None:
    columns = statistics.of_shard(folder / "00000.tar")
    assert columns["width"].tolist() == [512, 100, 512, 2048, 512, 512, 512]
    assert columns["aesthetic"].tolist()[:6] == [6, 6, 6, 6, 6, pytest.approx(4.9)]
    assert columns["caption_length"].tolist() == [len(sample(n)["caption"]) for n in range(7)]
    assert (columns["contrast"] > 3).all()
    file = index_cache.meta_folder(folder) / "00000.statistics.safetensors"
    before = file.stat().st_mtime_ns
    statistics.of_shard(folder / "00000.tar")
    assert file.stat().st_mtime_ns == before
    later = statistics.of_shard(folder / "00001.tar")
    assert later["width"].tolist()[2] == 0  # its .json says 512; it still cannot be read
    assert np.isnan(later["aesthetic"][0])
    assert later["contrast"][4] == 0


def keys(folder: Path, bounds: Filter | None) -> list[int]:
    shards = Collection(folder)
    selection = select(shards, bounds, 0)
    keys = []
    for number in range(len(shards)):
        opened = shards.open(number)
        rows = selection.rows(number, opened.index.hashes, is_validation=False)
        keys += [int(opened.key(row)) for row in rows]
    return keys


@pytest.mark.parametrize(
    ("settings", "out"),
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
def test_each_bound_leaves_out_its_samples_and_unreadable_ones(
    folder: Path, settings: dict, out: set[int]
) -> None:
    out = out | ({9} if settings else set())
    assert keys(folder, Filter(**settings)) == [n for n in range(12) if n not in out]


def test_the_reasons_and_what_remains_add_up(folder: Path) -> None:
    bounds = Filter(min_side=256, max_aspect=3, min_contrast=1, fields={"aesthetic": [5, None]})
    selection = select(Collection(folder), bounds, 0)
    assert selection.reasons == {
        "unreadable": 1,
        "side < 256": 1,
        "aspect > 3": 1,
        "contrast < 1": 1,
        "without aesthetic": 1,
        "aesthetic outside [5, ]": 1,
    }
    assert sum(selection.training) == 12 - 6


def test_the_selection_is_cached_until_a_shard_changes(make: Make) -> None:
    folder = make(4, 4)
    bounds = Filter(caption_length=[None, 11])
    first = select(Collection(folder), bounds, 0.3)
    (file,) = index_cache.meta_folder(folder).glob("selection-*.safetensors")
    before = file.stat().st_mtime_ns
    second = select(Collection(folder), bounds, 0.3)
    assert file.stat().st_mtime_ns == before
    assert (second.training == first.training).all() and second.threshold == first.threshold
    samples = [sample(n, caption="a caption that is too long by far") for n in range(4, 8)]
    shard.write(folder / "00001.tar", samples)
    assert select(Collection(folder), bounds, 0).training.tolist()[1] == 0


def test_training_sees_the_selected_samples_and_no_others(folder: Path) -> None:
    bounds = Filter(min_side=256, fields={"aesthetic": [5, None]}, min_contrast=1)
    data = Data(str(folder), "fake", 16, 12, validation=2, filter=bounds)
    data.setup()
    few = islice(data.train_dataloader(), 4)
    training = {key for batch in few for key in batch["key"]}
    validation = {key for batch in data.val_dataloader()[0] for key in batch["key"]}
    expected = {sample(n)["key"] for n in (0, 2, 3, 4, 6, 8, 10)}
    assert len(validation) == 2 and training | validation == expected
    assert not training & validation
    assert data.tally.counts[1] == 0


def test_a_filter_that_leaves_nothing_says_why(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"leaves none of the 12 samples .*1 unreadable, 11 side < 5000"
    ):
        select(Collection(folder), Filter(min_side=5000), 0)


@pytest.mark.parametrize("bounds", [[5, None], [None, None]])
def test_a_field_that_no_sample_has_is_refused_with_those_there_are(
    folder: Path, bounds: list
) -> None:
    with pytest.raises(ValueError) as error:
        select(Collection(folder), Filter(fields={"aesthetik": bounds}), 0)
    assert "named 'aesthetik' (did you mean aesthetic?)" in str(error.value)
    assert "aesthetic, original_height, original_width" in str(error.value)
    with pytest.raises(ValueError, match=r"named 'rank'\. Its numbers are: aesthetic"):
        Data(str(folder), "fake", 16, 12, filter=Filter(fields={"rank": [1, None]})).setup()


def test_a_dry_run_refuses_a_field_that_no_sample_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(2):
        (tmp_path / f"{n}.jpg").write_bytes(jpeg(n))
        (tmp_path / f"{n}.json").write_text(f'{{"caption": "words", "rank": {n}}}')
    words = ["data/source=folder", f"source.path={tmp_path}", "dry_run=true", "workers=1"]
    with pytest.raises(ValueError, match=r"'rnak' \(did you mean rank\?\). Its numbers are: rank"):
        build_shards.main(config.compose("build_shards", [*words, "filter.fields={rnak: [1,2]}"]))
    build_shards.main(config.compose("build_shards", [*words, "filter.fields={rank: [1,2]}"]))
    assert "1  rank outside [1, 2]" in capsys.readouterr().out


def test_training_is_told_what_its_filter_leaves(folder: Path) -> None:
    bounds = Filter(fields={"aesthetic": [5, None]})
    data = Data(str(folder), "fake", 16, 12, validation=0, filter=bounds)
    data.setup()
    left = "the filter leaves 9 of 12 samples (1 unreadable, 1 without aesthetic, 1 aesthetic out"
    assert [note.partition(": ")[2].startswith(left) for note in data.notes] == [True]


@pytest.mark.parametrize(
    "settings",
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
def test_a_malformed_bound_is_an_error_in_words(settings: dict[str, Any]) -> None:
    allowed = r"is not \[lowest, highest\]|is not a number|Set fields=|neither true nor false. Set"
    with pytest.raises(ValueError, match=allowed) as error:
        Filter(**settings)
    assert next(iter(settings)) in str(error.value) or "aesthetic" in str(error.value)


@pytest.mark.parametrize("name", statistics.OWN)
def test_a_measured_field_is_refused_with_the_keys_for_it(name: str) -> None:
    with pytest.raises(ValueError, match=f"fields={{{name}: …}}.*Set min_side"):
        Filter(fields={name: [1, None]})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=20), max_size=12))
def test_only_the_first_of_equal_hashes_is_new(parts: list[list[int]]) -> None:
    hashes, before = HashSet(), set()
    for part in parts:
        expected = []
        for number in part:
            expected.append(number not in before)
            before.add(number)
        assert hashes.add_new(np.array(part, np.int64)).tolist() == expected


def test_a_hash_set_takes_eight_bytes_a_hash() -> None:
    hashes, rng = HashSet(), np.random.default_rng(0)
    tracemalloc.start()
    for _ in range(200):
        hashes.add_new(rng.integers(0, 1 << 62, 5_000))
    memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert memory < 1.1 * 8 * 200 * 5_000


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"shards": "x", "wieght": 0.2}, "'wieght'. Choose from shards, text, weight, filter"),
        ({"shards": "x", "fitler": {"min_side": 9}}, "'fitler'. Choose from shards, text"),
        (
            {"shards": "x", "filter": {"min_sied": 9}},
            "'min_sied'. Choose from min_side, max_aspect",
        ),
        ({"shards": "x", "filter": {"min_side": "a"}}, "min_side='a' is not a number"),
        ({"shards": "x", "filter": [1]}, r"filter=\[1\]. Set filter: {min_side"),
        ({"shards": "x", "weight": "a"}, "weight='a' is not a number above 0"),
        ({"shards": "x", "weight": -1}, "weight=-1 is not a number above 0"),
        ({"shards": "x", "weight": float("nan")}, "weight=nan is not a number above 0"),
        ({"weight": 1.0}, "shards=None, not a name"),
        ({"shards": "x", "text": 3}, "text=3, not a name"),
        ("x", "'x' is not an entry of data.mixed_with"),
    ],
)
def test_a_misspelt_mixture_is_an_error_in_words(entry: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Data("nowhere", "fake", 16, 12, mixed_with=[entry])
