"""A caption read back says what it was written from, and other texts say nothing."""

import numpy as np
import pytest

from imagen_lit.shapes import caption, prompts, world
from imagen_lit.shapes.caption_meaning import meaning


def test_every_caption_is_read_back_as_what_it_was_written_from() -> None:
    for number in range(300):
        rng = np.random.default_rng(number)
        scene, _ = world.training_scene(5, number, world.TRAINING_MIX)
        expectation = caption.expectation(rng, scene)
        assert meaning(caption.phrase(rng, expectation)) == expectation
    for question in prompts.held_out_prompts(200, 3):
        assert meaning(question["prompt"]) == question["expectation"]


@pytest.mark.parametrize(
    "text",
    ["", "a dog", "a red circle and a blue square", "a red circle on a blue square", "two red dog",
     "a red circle.", "A red circle", "five red circles", 'the word "cat" in red'],
)  # fmt: skip
def test_other_texts_say_nothing(text: str) -> None:
    assert meaning(text) is None
