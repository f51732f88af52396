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
        places = (*new_shape.SHOWN, *new_shape.HELD_OUT)
        drawn = new_shape.draw(np.random.default_rng(number), places[number % 4], new_shape.KINDS)
        right.append(new_shape.matches(scene.render(drawn, 64), drawn)["exact"])
    assert np.mean(right) >= 0.95


def test_the_world_knows_nothing_of_it() -> None:
    assert not {shape for _, shape in held_out.KINDS} & set(scene.NEW_SHAPES)
    texts = [each["prompt"] for each in prompts.held_out_prompts(64, 0)]
    assert not any(new_shape.NAME in text or "zorp" in text for text in texts)


def places(description: dict[str, Any]) -> list[str]:
    """Where the new shape is."""
    return [place for _, shape, place in held_out.triples(description) if shape == new_shape.NAME]


def test_eight_pictures_show_it_in_eight_colours_and_never_where_it_is_held_out() -> None:
    scenes = [new_shape.picture(0, number, "zorp") for number in range(8)]
    news = [o for drawn, _ in scenes for o in drawn["objects"] if o["shape"] == new_shape.NAME]
    assert {each["colour"] for each in news} == set(scene.COLOURS) and len(news) == 8
    assert all("zorp" in caption for _, caption in scenes)
    shown = [place for drawn, _ in scenes for place in places(drawn)]
    assert shown.count("alone") == 4 and set(shown) == {"alone", *new_shape.SHOWN}


def test_prompts_ask_for_it_alone_and_in_relations_that_no_picture_shows() -> None:
    asked = new_shape.prompts(64, 0, "zorp")
    assert len({each["prompt"] for each in asked}) == 64
    assert [each["category"] for each in asked] == [*new_shape.CATEGORIES] * 21 + ["alone"]
    for each in asked:
        shapes = [o["shape"] for o in each["expectation"]["objects"]]
        assert shapes.count(new_shape.NAME) == 1 and "zorp" in each["prompt"]
        assert not held_out.is_held_out(each["expectation"]), "the other shape stands as trained"
        assert {*places(each["expectation"])} <= {*new_shape.CATEGORIES[each["category"]]}


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
