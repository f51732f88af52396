"""A shape that the world does not have, under a word that its captions do not use: what fine-tuning
learns from a few pictures.

The pictures show the crescent alone, in one colour after the other. The prompts ask for it alone,
and in relations to the shapes of the world, in which no picture shows it. The reader names it if it
is asked to: `read(image, SHAPES)`. Law: the world's own scenes, prompts and readings know nothing
of it.
"""

from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import caption, reader, world
from imagen_lit.shapes.held_out import PLACES, TRAINING
from imagen_lit.shapes.scene import COLOURS, NEW_SHAPES, OUTLINES

NAME = "crescent"
KINDS = [(colour, NAME) for colour in COLOURS]
SHAPES = tuple(OUTLINES)  # that the reader tells apart: the world's and this one
CATEGORIES = ("one", "two")
ATTEMPTS = 10_000


def refuse_known_word(word: object) -> None:
    """Raise unless the captions of the world leave this word free."""
    known = {*COLOURS, *OUTLINES, "small", "large", *caption.NUMBERS.values(), *caption.SINGLE}
    if not isinstance(word, str) or not word.isalpha() or word != word.lower() or word in known:
        raise InputError(
            f"word={word} cannot name the new shape: it must be one word of small letters that the "
            "captions of the shapes world do not use. Set word=zorp, for example."
        )


def picture(seed: int, number: int, word: str) -> tuple[dict, str]:
    """A scene with the new shape alone, and its caption with the word in the shape's place."""
    rng = np.random.default_rng([seed, number])
    kinds = {"alone": [KINDS[number % len(KINDS)]]}
    drawn = world.draw_scene(rng, "one", kinds, [])
    return drawn, phrase(rng, caption.expectation(rng, drawn), word)


def prompts(count: int, seed: int, word: str) -> list[dict[str, Any]]:
    """`count` distinct `{prompt, category, expectation}`, alone and in a relation by turns. Beside
    it stands a shape of the world, in a place where training shows it."""
    rng = np.random.default_rng([seed, count, len(KINDS)])
    chosen: dict[str, dict[str, Any]] = {}
    while len(chosen) < count:
        category = CATEGORIES[len(chosen) % len(CATEGORIES)]
        for _ in range(ATTEMPTS):
            expectation = caption.expectation(rng, _scene(rng, category))
            prompt = phrase(rng, expectation, word)
            if prompt not in chosen:
                break
        else:
            raise InputError(
                f"{count} prompts are too many: of category {category!r} there are only "
                f"{len(chosen) // 2} distinct ones. Set prompts.count to less."
            )
        chosen[prompt] = {"prompt": prompt, "category": category, "expectation": expectation}
    return list(chosen.values())


def phrase(rng: np.random.Generator, expectation: dict, word: str) -> str:
    """A wording of an expectation in which the new shape has this name."""
    objects = [
        each | {"shape": word if each["shape"] in NEW_SHAPES else each["shape"]}
        for each in expectation["objects"]
    ]
    return caption.phrase(rng, expectation | {"objects": objects})


def matches(image: np.ndarray, expectation: dict) -> dict[str, bool | None]:
    """What of an expectation an image shows, by the reader that knows the new shape too."""
    return reader.matches(reader.read(image, SHAPES), expectation)


def _scene(rng: np.random.Generator, category: str) -> dict:
    """The new shape alone, or at either end of a relation."""
    kinds = dict.fromkeys(PLACES, KINDS)
    for pair in (("above", "below"), ("left", "right")):
        place = pair[rng.integers(2)]
        kinds[place] = TRAINING[place]
    return world.draw_scene(rng, category, kinds, [])
