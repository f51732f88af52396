"""The shape that the world does not have: it can be read, and the world does not know of it."""

from typing import Any

import numpy as np
import pytest

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import held_out, new_shape, prompts, reader, scene


@pytest.mark.parametrize("size", [16, 64])
def test_its_pictures_are_read_exactly_and_by_the_old_reader_not_at_all(size: int) -> None:
    for number in range(0, 16, 2):
        drawn, _ = new_shape.picture(0, number, "zorp")
        image = scene.render(drawn, size)
        assert new_shape.matches(image, drawn)["exact"]
        assert [each["shape"] for each in reader.read(image)["objects"]] == [None]


def test_its_relations_are_read_as_they_are_drawn() -> None:
    right = []
    for number in range(24):
        place = new_shape.RELATIONS[number % 4]
        drawn = new_shape.draw(np.random.default_rng(number), place, new_shape.KINDS)
        right.append(new_shape.matches(scene.render(drawn, 64), drawn)["exact"])
    assert np.mean(right) >= 0.95


def test_the_world_knows_nothing_of_it() -> None:
    assert not {shape for _, shape in held_out.KINDS} & set(scene.NEW_SHAPES)
    texts = [each["prompt"] for each in prompts.held_out_prompts(64, 0)]
    assert not any(new_shape.NAME in text or "zorp" in text for text in texts)


def places(description: dict[str, Any]) -> list[tuple[str, str]]:
    """The colour and the place of the new shape."""
    triples = held_out.triples(description)
    return [(colour, place) for colour, shape, place in triples if shape == new_shape.NAME]


def test_eight_pictures_show_it_in_each_colour_and_in_each_place() -> None:
    scenes = [new_shape.picture(0, number, "zorp") for number in range(8)]
    assert all("zorp" in caption for _, caption in scenes)
    shown = [each for drawn, _ in scenes for each in places(drawn)]
    assert {colour for colour, _ in shown} == set(scene.COLOURS) and len(shown) == 8
    where = [place for _, place in shown]
    assert sorted(where) == sorted(["alone"] * 4 + new_shape.RELATIONS)


def test_prompts_ask_for_it_alone_and_in_relations_that_no_picture_shows() -> None:
    asked = new_shape.prompts(64, 0, "zorp")
    shown = [at for number in range(8) for at in places(new_shape.picture(0, number, "zorp")[0])]
    assert len({each["prompt"] for each in asked}) == 64
    assert [each["category"] for each in asked] == ["alone", "held_out"] * 32
    for each in asked:
        shapes = [o["shape"] for o in each["expectation"]["objects"]]
        assert shapes.count(new_shape.NAME) == 1 and "zorp" in each["prompt"]
        assert not held_out.is_held_out(each["expectation"]), "the other shape stands as trained"
        (at,) = places(each["expectation"])
        assert at not in shown if each["category"] == "held_out" else at[1] == "alone"


def test_another_word_gives_the_same_prompts_with_that_word() -> None:
    ours, others = (new_shape.prompts(8, 3, word) for word in ("zorp", "blick"))
    assert [each["prompt"].replace("zorp", "blick") for each in ours] == [
        each["prompt"] for each in others
    ]


@pytest.mark.parametrize("word", ["circle", "red", "small", "a zorp", "Zorp", "", 3])
def test_a_word_that_is_taken_or_none_is_refused(word: object) -> None:
    with pytest.raises(InputError, match="Set word=zorp"):
        new_shape.refuse_known_word(word)


def test_more_prompts_than_there_are_are_refused() -> None:
    with pytest.raises(InputError, match=r"too many.*Set prompts\.count"):
        new_shape.prompts(2_000, 0, "zorp")
