"""A shape that the world does not have, under a word that its captions do not use: what fine-tuning
learns from a few pictures.

The pictures show the crescent alone and in a relation to a shape of the world by turns, in one
colour after the other and in one place after the other. The prompts ask for it alone, and in
relations in which its colour never was in that place (what the world itself calls held out,
imagen_lit/shapes/held_out.py). The reader names it if it is asked to: `read(image, SHAPES)`. Law:
the world's own scenes, prompts and readings know nothing of it.
"""

from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import caption, reader, world
from imagen_lit.shapes.held_out import PLACES, TRAINING
from imagen_lit.shapes.scene import COLOURS, CONVERSE, NEW_SHAPES, OUTLINES

NAME = "crescent"
KINDS = [(colour, NAME) for colour in COLOURS]
SHAPES = tuple(OUTLINES)  # that the reader tells apart: the world's and this one
CATEGORIES = ("alone", "held_out")
RELATIONS = [place for place in PLACES if place in CONVERSE]  # places in a relation
# The colour and the place of each picture in turn, and where a colour is held out.
TURNS = [(kind, RELATIONS[i // 2 % 4] if i % 2 else "alone") for i, kind in enumerate(KINDS)]
HELD_OUT = {p: [kind for kind in KINDS if (kind, p) not in TURNS] for p in RELATIONS}
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
    """A scene with the new shape, and its caption with the word in the shape's place."""
    rng = np.random.default_rng([seed, number])
    kind, place = TURNS[number % len(TURNS)]
    drawn = draw(rng, place, [kind])
    return drawn, phrase(rng, caption.expectation(rng, drawn), word)


def prompts(count: int, seed: int, word: str) -> list[dict[str, Any]]:
    """`count` distinct `{prompt, category, expectation}`, the categories by turns. Beside the new
    shape stands one of the world, in a place where training shows it."""
    rng = np.random.default_rng([seed, count, len(KINDS)])
    chosen: dict[str, dict[str, Any]] = {}
    while len(chosen) < count:
        category = CATEGORIES[len(chosen) % len(CATEGORIES)]
        for _ in range(ATTEMPTS):
            place = "alone" if category == "alone" else RELATIONS[rng.integers(len(RELATIONS))]
            drawn = draw(rng, place, KINDS if category == "alone" else HELD_OUT[place])
            expectation = caption.expectation(rng, drawn)
            prompt = phrase(rng, expectation, word)
            if prompt not in chosen:
                break
        else:
            raise InputError(
                f"{count} prompts are too many: of category {category!r} there are only "
                f"{len(chosen) // len(CATEGORIES)} distinct ones. Set prompts.count to less."
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


def draw(rng: np.random.Generator, place: str, kinds: list[tuple[str, str]]) -> dict:
    """A scene with one of these kinds alone, or in this place of a relation."""
    if place == "alone":
        return world.draw_scene(rng, "one", {place: kinds}, [])
    other = CONVERSE[place]
    drawn: dict[str, Any] = {"relation": None}
    while drawn["relation"] not in (place, other):
        allowed = dict.fromkeys(PLACES, KINDS) | {place: kinds, other: TRAINING[other]}
        drawn = world.draw_scene(rng, "two", allowed, [])
    return drawn
