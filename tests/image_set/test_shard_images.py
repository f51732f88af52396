"""Images of shards as a set: chosen by their keys alone, square as training sees them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_world import add_text, jpeg, sample

from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import shard
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.shards import Shards


def write(folder: Path, *sizes: int, changes: dict[int, dict[str, Any]] | None = None) -> str:
    start = 0
    for number, size in enumerate(sizes):
        rows = range(start, start + size)
        samples = [sample(row, **(changes or {}).get(row, {})) for row in rows]
        shard.write(folder / f"{number:05d}.tar", samples)
        start += size
    return str(folder)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return write(tmp_path / "own", 20, 0, 30)


def numbers(images: Shards) -> list[int]:
    return [int(prompt.split()[1]) for prompt in images.prompts]


def test_the_parts_are_those_of_the_training(folder: str) -> None:
    add_text(Path(folder))
    data = Data(folder, "fake", 32, 4, validation=12)
    (held_back,) = data.val_dataloader()
    images = Shards(folder, 32, validation=12)
    assert isinstance(images, ImageSet) and len(images) == 12
    batches = [batch for batch in held_back]
    true = {
        caption: image
        for batch in batches
        for caption, image in zip(batch["caption"], batch["image"], strict=True)
    }
    for number, prompt in enumerate(images.prompts):
        expected = ((true[prompt].permute(1, 2, 0).numpy() + 1) * 127.5).round()
        assert np.array_equal(images.image(number), expected)
    training = Shards(folder, 32, "training", validation=12)
    assert sorted(numbers(training) + numbers(images)) == list(range(50))
    assert sorted(numbers(Shards(folder, 32, "all"))) == list(range(50))


def test_the_choice_and_the_facts_do_not_depend_on_the_shards(folder: str, tmp_path: Path) -> None:
    images = Shards(folder, 16, "all", count=9)
    other = Shards(write(tmp_path / "other", 7, 43), 16, "all", count=9)
    assert other.prompts == images.prompts and other.facts() == images.facts()
    assert json.loads(json.dumps(images.facts())) == images.facts()
    shutil.move(folder, tmp_path / "deep/moved")
    assert Shards(str(tmp_path / "deep/moved"), 16, "all", count=9).facts() == images.facts()


def test_fewer_images_are_the_first_of_more(folder: str) -> None:
    every = Shards(folder, 16, "all")
    assert Shards(folder, 16, "all", count=9).prompts == every.prompts[:9]
    other = Shards(folder, 16, "all", seed=1)
    assert other.prompts != every.prompts and sorted(other.prompts) == sorted(every.prompts)
    assert numbers(every) != sorted(numbers(every))


@pytest.mark.parametrize("change", [{"image": jpeg(99)}, {"caption": "picture 3 of a hat"}])
def test_another_image_or_caption_changes_the_facts(
    folder: str, tmp_path: Path, change: dict[str, Any]
) -> None:
    facts = Shards(folder, 16, "all").facts()
    other = write(tmp_path / "other", 20, 0, 30, changes={3: change})
    assert Shards(other, 16, "all").facts() != facts


def test_images_that_training_could_not_use_are_left_out(tmp_path: Path) -> None:
    changes = {
        3: {"image": jpeg(3, 8)},
        4: {"image": jpeg(4)[:-200]},
        5: {"image": b"\xff\xd8\xff"},
    }
    folder = write(tmp_path / "own", 20, changes=changes)
    images = Shards(folder, 16, "all")
    assert set(range(20)) - set(numbers(images)) == {3, 4, 5}
    assert images.facts()["left_out"] == 3
    assert {images.image(number).shape for number in range(len(images))} == {(16, 16, 3)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "test"}, r"part=test is none\. Choose from validation, training, all"),
        ({"size": 0}, r"size=0 is not a whole number"),
        ({"size": 64}, r"has 0 images of 64 pixels or more \(12 cannot be used\).* Set count"),
        ({"count": 13}, r"has 12 images of 32 pixels or more, fewer than 13\. Set count"),
        ({"validation": 0}, r"has 0 images of 32 pixels or more, fewer than 1\. Set"),
        ({"count": 0}, r"count=0 is not a whole number"),
        ({"seed": -1}, r"seed=-1 is not a whole number"),
    ],
)
def test_too_few_images_are_refused(folder: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shards(folder, **({"size": 32, "validation": 12} | options))
