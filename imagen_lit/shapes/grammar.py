"""Scenes described in words: the text that the demo's tiny encoder is pretrained on.

A document is a caption and several descriptions of the same imagined scene, as text only. Each
description words part of the scene differently, so a hidden part of one can only be inferred from
the rest by a reader who understands which colour belongs to which shape and which object is on top.
No image is involved, and no description is ever paired with one: this is what a text corpus would
say about such scenes.

Law: what is held out of the demo's images is held out here too. No document puts a kind of object
in a place where training never shows it, or uses a held-out word, so pretraining never reads an
evaluation prompt.
"""

import random
from collections.abc import Iterator

from imagen_lit.shapes.caption import WORDINGS
from imagen_lit.shapes.held_out import HELD_OUT_WORDS, TRAINING
from imagen_lit.shapes.scene import COLOURS, CONVERSE, SHAPES

SIZES = ("small", "large")
NUMBERS = ("two", "three", "four")
SPOTS = {"above": "top", "below": "bottom", "left": "left", "right": "right"}
OPENINGS = ("", "", "there is ", "a picture of ", "this shows ")
Thing = tuple[str, str, str]  # size, colour, shape
Document = tuple[str, list[str]]  # caption, descriptions


def documents(seed: int) -> Iterator[Document]:
    """Endless (caption, descriptions) pairs; the same for the same seed."""
    rng = random.Random(seed)
    while True:
        kind = rng.choices(("two", "one", "count", "word"), (0.65, 0.12, 0.16, 0.07))[0]
        yield {"two": _two, "one": _one, "count": _count, "word": _word}[kind](rng)


def vocabulary() -> list[str]:
    """Every word of the grammar, in a fixed order."""
    shapes = (*SHAPES, *(f"{shape}s" for shape in SHAPES), "crosses")
    words = dict.fromkeys((*COLOURS, *shapes, *SIZES, *NUMBERS))
    source = documents(0)
    for _ in range(4000):
        caption, descriptions = next(source)
        for text in (caption, *descriptions):
            words |= dict.fromkeys(text.split())
    return [word for word in words if '"' not in word]


def _thing(rng: random.Random, place: str) -> Thing:
    return rng.choice(SIZES), *rng.choice(TRAINING[place])


def _noun(thing: Thing, with_size: bool) -> str:
    size, colour, shape = thing
    return f"{size} {colour} {shape}" if with_size else f"{colour} {shape}"


def _noun_phrase(thing: Thing, with_size: bool, determiner: str = "a") -> str:
    words = _noun(thing, with_size)
    return f"{'an' if determiner == 'a' and words[0] in 'aeiou' else determiner} {words}"


def _one(rng: random.Random) -> Document:
    thing, with_size = _thing(rng, "alone"), rng.random() < 0.5
    size, colour, shape = thing
    opening = rng.choice(OPENINGS)
    caption = opening + _noun_phrase(thing, with_size, rng.choice(("a", "a", "one", "a single")))
    descriptions = [f"alone {colour} {shape}", f"the {shape} is {colour}", "there is one thing"]
    return caption, descriptions + ([f"the {shape} is {size}"] if with_size else [])


def _count(rng: random.Random) -> Document:
    size, colour, shape = _thing(rng, "many")
    number, with_size = rng.choice(NUMBERS), rng.random() < 0.3
    plural = "crosses" if shape == "cross" else f"{shape}s"
    noun = _noun((size, colour, plural), with_size)
    caption = rng.choice((*OPENINGS, "there are ")) + f"{number} {noun}"
    return caption, [
        f"many {colour} {shape}",
        f"the {plural} are {colour}",
        f"there are {number} things",
    ]


def _word(rng: random.Random) -> Document:
    word = HELD_OUT_WORDS[0]
    while word in HELD_OUT_WORDS:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(3))
    return f'the word "{word}"', [f"it reads {' '.join(word)}", "there is one word"]


def _two(rng: random.Random) -> Document:
    relation = rng.choice(list(WORDINGS))
    converse = CONVERSE[relation]
    first, second = _thing(rng, relation), _thing(rng, converse)
    first_size, second_size = rng.random() < 0.4, rng.random() < 0.4  # whether it is mentioned
    a, b = _noun_phrase(first, first_size), _noun_phrase(second, second_size)
    caption = rng.choice(OPENINGS) + f"{a} {rng.choice(WORDINGS[relation])} {b}"
    spots = [(SPOTS[relation], first, first_size), (SPOTS[converse], second, second_size)]
    rng.shuffle(spots)
    property_ = rng.choice((1, 2))  # tell the things apart by colour, or by shape
    other = 3 - property_
    return caption, [
        " ".join(f"{thing[property_]} {spot}" for spot, thing, _ in spots),
        " ".join(f"{spot} {thing[other]}" for spot, thing, _ in spots),
        " , ".join(f"{spot} {_noun(thing, with_size)}" for spot, thing, with_size in spots),
        f"{b} {rng.choice(WORDINGS[converse])} {a}",
    ]
