"""Prompts are distinct, balanced, held out where they should be, and say what is expected."""

from collections.abc import Callable

import pytest
from caption_parser import FORBIDDEN, parse, triples

from imagen_lit.shapes.held_out import HELD_OUT_WORDS
from imagen_lit.shapes.prompts import MIX, held_out_prompts, training_prompts


def counts(prompts: list[dict]) -> dict[str, int]:
    return {category: sum(p["category"] == category for p in prompts) for category in MIX}


def test_every_held_out_prompt_has_something_that_training_never_shows() -> None:
    prompts = held_out_prompts(320, seed=0)
    assert len({p["prompt"] for p in prompts}) == 320
    for p in prompts:
        content = parse(p["prompt"])
        if content["word"]:
            assert content["word"] in HELD_OUT_WORDS
        else:
            assert triples(content) & FORBIDDEN
    assert counts(prompts) == {"one": 96, "two": 128, "count": 64, "word": 32}


def test_training_prompts_have_nothing_that_is_held_out() -> None:
    for p in training_prompts(200, seed=0):
        content = parse(p["prompt"])
        assert not triples(content) & FORBIDDEN
        assert content["word"] not in HELD_OUT_WORDS


@pytest.mark.parametrize("draw", [held_out_prompts, training_prompts])
def test_a_prompt_says_what_is_expected(draw: Callable[..., list[dict]]) -> None:
    for p in draw(120, seed=5):
        content, expectation = parse(p["prompt"]), p["expectation"]
        objects = [(o["size"], o["colour"], o["shape"]) for o in expectation["objects"]]
        assert content["objects"] == objects
        assert content["relation"] == expectation["relation"]
        assert content["word"] == expectation["word"]


def test_the_beginning_of_the_prompts_is_balanced_too() -> None:
    assert counts(held_out_prompts(20, seed=9)) == {"one": 6, "two": 8, "count": 4, "word": 2}


def test_more_prompts_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match=r"5000 prompts are too many.* Ask for fewer\."):
        held_out_prompts(5000, seed=0)
