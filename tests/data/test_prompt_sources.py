"""Where prompts come from: a source has the same ones at every start, or says what is missing."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_world import jpeg, sample

from imagen_lit.data import held_back
from imagen_lit.data.filter import Filter
from imagen_lit.data.loader import Data
from imagen_lit.data.prompts.captions import Captions, ShardCaptions
from imagen_lit.data.prompts.file import TextFile
from imagen_lit.data.prompts.shapes import HeldOutPrompts
from imagen_lit.data.prompts.source import JudgedPrompts, PromptsWithImages
from imagen_lit.data.remote import Remote
from imagen_lit.data.selection import select
from imagen_lit.data.shard_files import shard
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.source.shapes import Shapes


def data(folder: Path, **options: Any) -> Data:
    return Data(str(folder), "fake", **({"size": 16, "batch_size": 4, "validation": 12} | options))


def write(folder: Path, *sizes: int, **changes: Any) -> Path:
    start = 0
    for number, size in enumerate(sizes):
        rows = range(start, start + size)
        shard.write(folder / f"{number:05d}.tar", [sample(row, **changes) for row in rows])
        start += size
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "own", 20, 0, 30)


def test_captions_are_those_that_validation_holds_back(folder: Path) -> None:
    prompts = Captions(100, seed=5).of(data(folder))
    shards = Collection(folder)
    selection = select(shards, None, 12)
    rows = [
        (number, row)
        for number in range(len(shards))
        for row in selection.rows(number, shards.open(number).index.hashes, True).tolist()
    ]
    captions = {shards.open(number).caption(row) for number, row in rows}
    assert len(rows) == 12 and set(prompts.prompts) == captions
    assert prompts.seeds == list(range(5, 17))


def test_fewer_captions_are_the_first_of_more(folder: Path) -> None:
    every = Captions(100).of(data(folder)).prompts
    assert Captions(5).of(data(folder)).prompts == every[:5]
    assert Captions(100).of(data(folder, validation=30)).prompts[:12] == every


def test_the_order_of_captions_does_not_depend_on_their_shards(
    folder: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other", 7, 43)
    assert Captions(9).of(data(other)).prompts == Captions(9).of(data(folder)).prompts


def test_the_picture_of_a_caption_is_its_own_image(folder: Path) -> None:
    prompts = Captions(6).of(data(folder))
    assert isinstance(prompts, PromptsWithImages) and not isinstance(prompts, JudgedPrompts)
    for caption, picture in zip(prompts.prompts, prompts.true_images(32), strict=True):
        number = int(caption.split()[1])
        assert np.array_equal(picture, np.asarray(Image.open(io.BytesIO(jpeg(number)))))
    assert prompts.true_images(64).shape == (6, 64, 64, 3), "enlarged where it is smaller"


def test_a_caption_that_many_images_share_is_drawn_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "same", 30, caption="a cat\n")
    assert Captions(8).of(data(folder)).prompts == ["a cat"]


def test_an_image_that_cannot_be_read_lends_no_caption(tmp_path: Path) -> None:
    folder = write(tmp_path / "broken", 30, image=jpeg(1)[:50])
    with pytest.raises(ValueError, match=r"no captions of .*broken are held back"):
        Captions(8).of(data(folder))


def test_where_nothing_is_held_back_the_sentence_says_what_to_set(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"validation=0\).*Set data\.validation=0\.02.*prompts="):
        Captions(8).of(data(folder, validation=0))
    stream = Remote("file:/tmp/{0..1}.tar", "text", 16, 4)
    with pytest.raises(ValueError, match=r"a stream.*, or data/prompts=file prompts\.path="):
        Captions(8).of(stream)


def test_a_filter_holds_for_captions_too(folder: Path) -> None:
    short = Filter(caption_length=[None, 12])
    prompts = Captions(50).of(data(folder, filter=short, validation=6)).prompts
    assert len(prompts) == 6 and all(len(caption) <= 12 for caption in prompts)
    shards = Collection(folder)
    assert len(list(held_back.rows(shards, select(shards, short, 6)))) == 6


def test_the_shapes_world_is_known_by_its_samples(folder: Path, tmp_path: Path) -> None:
    world = Shapes(3, 32, 0)
    shard.write(tmp_path / "world/00000.tar", [world[number] for number in range(3)])
    prompts = HeldOutPrompts(4)
    assert isinstance(prompts, JudgedPrompts)
    assert prompts.of(data(tmp_path / "world")) is prompts
    assert prompts.of(data(tmp_path / "gone")) is prompts, "data that moved away are not looked at"
    for other in (data(folder), Remote("file:/tmp/{0..1}.tar", "text", 16, 4)):
        with pytest.raises(ValueError, match=r"holds other images.* Set data/prompts=captions"):
            prompts.of(other)


def test_held_out_prompts_are_drawn_from_several_seeds_as_those_of_a_file() -> None:
    once, twice = HeldOutPrompts(4, 3), HeldOutPrompts(4, 3, seeds_per_prompt=2)
    assert twice.prompts[::2] == twice.prompts[1::2] == once.prompts
    assert twice.categories[::2] == once.categories
    assert twice.seeds[::2] == once.seeds == [3, 4, 5, 6], "more draws change no image"
    assert len(set(twice.seeds)) == 8
    results = [
        {**r, "matches": {"exact": number // 2 % 2 == 0}}
        for number, r in enumerate({"prompt": p, "category": "one"} for p in twice.prompts)
    ]
    low, high = twice.score(results)["all"]["interval"]
    assert low < 0.15 and high > 0.85, "as of four prompts, and not of eight"


def test_a_text_file_has_a_prompt_on_every_line_that_is_not_blank(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes("\ufeffa cat\r\n\n  \nкошка на крыше \na cat".encode())
    prompts = TextFile(str(file), seed=3).of(None)  # type: ignore[arg-type]
    assert prompts.prompts == ["a cat", "кошка на крыше", "a cat"]
    assert prompts.seeds == [3, 4, 5], "the same prompt again is another image"
    assert not isinstance(prompts, JudgedPrompts | PromptsWithImages)
    assert TextFile(str(file), count=2).prompts == ["a cat", "кошка на крыше"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"there is no file .*prompts\.txt\. Set prompts\.path="),
        (b" \n\n", r"is empty: it holds no text\. Write one prompt per line into it"),
        ("\u2003\n".encode(), r"holds no prompts\. Write one per line"),
        ("a cat\n".encode("utf-16"), r"is UTF-16, by the byte-order mark .* save it as UTF-8"),
        ("a cat\n".encode("utf-16-le"), r"holds zero bytes, as UTF-16 .* save it as UTF-8"),
        ("ça\n".encode("latin-1"), r"is not UTF-8 .*Convert it"),
    ],
)
def test_a_text_file_without_prompts_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "prompts.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        TextFile(str(file))


@pytest.mark.parametrize("make", [Captions, lambda count: TextFile(__file__, count)])
def test_no_prompts_at_all_cannot_be_asked_for(make: Any) -> None:
    with pytest.raises(ValueError, match=r"prompts\.count=0 is not a whole number of 1 or more"):
        make(0)


def test_the_captions_of_any_shards_need_no_data_of_a_run(folder: Path) -> None:
    own = Captions(100, seed=5).of(data(folder))
    prompts = ShardCaptions(str(folder), 12, 100, seed=5).of(None)
    assert (prompts.prompts, prompts.seeds) == (own.prompts, own.seeds)
    assert np.array_equal(prompts.true_images(32), own.true_images(32))
    twice = ShardCaptions(str(folder), 12, 3, seeds_per_prompt=2).of(None)
    assert twice.prompts == [each for each in own.prompts[:3] for _ in range(2)]
    assert twice.seeds == [0, 1_000_000, 1, 1_000_001, 2, 1_000_002]
    assert np.array_equal(twice.true_images(32)[::2], own.true_images(32)[:3])
    with pytest.raises(FileNotFoundError, match=r"no shards in .*gone"):
        ShardCaptions(str(folder / "gone"), 12, 100).of(None)
    with pytest.raises(ValueError, match=r"prompts\.validation=-1 is not a number of 0 or more"):
        ShardCaptions(str(folder), -1, 100)
