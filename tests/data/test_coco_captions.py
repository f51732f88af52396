"""One caption for each of so many images of COCO: the same for everyone who has the file."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from imagen_lit.data.prompts.coco import CocoCaptions
from imagen_lit.data.prompts.source import IdentifiedPrompts

WORDS = ("a dog on a bench", "a man with a dog", "many germans", "Two Ladies eat", "some children")

FROZEN = [
    ("111", "a man with a dog 11-0"),
    ("126", "a man with a dog 26-0"),
    ("110", "a dog on a bench 10-0"),
]


def annotations() -> list[dict[str, Any]]:
    return [
        {
            "image_id": 100 + image,
            "id": 10 * image + k,
            "caption": f"{WORDS[image % 5]} {image}-{k}\n",
        }
        for image in range(40)
        for k in range(5)
    ]


def write(file: Path, entries: Any) -> str:
    file.write_text(json.dumps({"images": [], "annotations": entries}))
    return str(file)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write(tmp_path / "captions_val2014.json", annotations())


def pairs(prompts: CocoCaptions) -> list[tuple[str, str]]:
    return list(zip(prompts.ids, prompts.prompts, strict=True))


def test_the_choice_does_not_depend_on_the_order_of_the_file(path: str, tmp_path: Path) -> None:
    shuffled = annotations()
    random.Random(3).shuffle(shuffled)
    other = write(tmp_path / "shuffled.json", shuffled)
    assert pairs(CocoCaptions(other, count=30)) == pairs(CocoCaptions(path, count=30))


def test_the_choice_is_frozen(path: str) -> None:
    """These captions are those of every version, or numbers of two versions would differ."""
    prompts = CocoCaptions(path, count=3)
    assert pairs(prompts) == FROZEN
    assert isinstance(prompts, IdentifiedPrompts) and prompts.seeds == [0, 1, 2]


def test_each_image_comes_once_with_a_caption_of_its_own(path: str) -> None:
    prompts = CocoCaptions(path, count=None)
    assert sorted(prompts.ids) == sorted(str(100 + image) for image in range(40))
    own = {(str(row["image_id"]), row["caption"].strip()) for row in annotations()}
    assert set(pairs(prompts)) <= own
    assert len({prompt[-1] for prompt in prompts.prompts}) > 1, "not always the first caption"


def test_fewer_captions_are_the_first_of_more_images(path: str) -> None:
    assert pairs(CocoCaptions(path, count=7)) == pairs(CocoCaptions(path, count=20))[:7]


def test_another_choice_seed_chooses_other_captions(path: str) -> None:
    first, second = (CocoCaptions(path, count=None, choice_seed=seed) for seed in (0, 1))
    assert first.ids != second.ids and sorted(first.ids) == sorted(second.ids)
    assert set(pairs(first)) != set(pairs(second))


def test_without_people_the_same_captions_remain_less_those(path: str) -> None:
    every = pairs(CocoCaptions(path, count=None))
    rest = pairs(CocoCaptions(path, count=None, without_people=True))
    people = [pair for pair in every if pair[1].startswith(("a man", "Two Ladies"))]
    assert len(people) == 16 and rest == [pair for pair in every if pair not in people]


@pytest.mark.parametrize(
    ("entries", "options", "message"),
    [
        (annotations(), {"count": 41}, r"captions of 40 such images, fewer than prompts\.count=41"),
        ([], {}, r"has no list of annotations\. Set prompts\.path="),
        ([{"image_id": 1, "id": 2, "bbox": []}], {}, r"annotation 1 .* lacks image_id, id or cap"),
        ([{"image_id": 1, "id": 2, "caption": " "}], {}, r"annotation 1 .* Set prompts\.path="),
        (annotations(), {"without_people": 1}, r"prompts\.without_people=1 is neither true nor"),
        (annotations(), {"choice_seed": -1}, r"prompts\.choice_seed=-1 is not a whole number"),
    ],
)
def test_a_file_without_such_captions_is_refused(
    tmp_path: Path, entries: Any, options: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "captions.json", entries)
    with pytest.raises(ValueError, match=message):
        CocoCaptions(path, **options)


@pytest.mark.parametrize(("name", "kind"), [("p.csv", "table prompts"), ("p.txt", "file for such")])
def test_a_file_of_another_format_is_not_called_damaged(
    tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / name).write_text("prompt\na red circle\n")
    with pytest.raises(ValueError, match=rf"{name} is of another format .* data/prompts={kind}"):
        CocoCaptions(str(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", "{}".encode("utf-16"), b"\xff"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "captions.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"captions\.json .*Set prompts\.path="):
        CocoCaptions(str(file))
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.json"):
        CocoCaptions(str(tmp_path / "gone.json"))
