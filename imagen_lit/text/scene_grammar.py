"""Scenes told in words: the text that the tiny encoder of the demo learns language from.

A document is several tellings of one imagined scene, and nothing but text. Each telling says the
same in other words, so what one of them hides can only be guessed from another by whoever
understands which colour belongs to which shape and which thing is on top. No picture is involved,
and no telling is ever attached to one: this is what a corpus would say about such scenes.

Law: what the demo holds out of its pictures is held out here too. No document names a kind at a
place where training never shows it, nor a held-out word, so no prompt of the examination was read.
"""

import random
from collections.abc import Iterator

from imagen_lit.data.demo import HELD_OUT_WORDS, SEEN
from imagen_lit.data.demo_caption import WORDINGS
from imagen_lit.data.demo_scene import COLOURS, CONVERSE, SHAPES

SIZES = ("small", "large")
NUMBERS = ("two", "three", "four")
SPOTS = {"above": "top", "below": "bottom", "left": "left", "right": "right"}
OPENINGS = ("", "", "there is ", "a picture of ", "this shows ")
Thing = tuple[str, str, str]  # size, colour, shape


def documents(seed: int) -> Iterator[tuple[str, list[str]]]:
    """Endless (caption, retellings) pairs; the same for the same seed."""
    rng = random.Random(seed)
    while True:
        kind = rng.choices(("two", "one", "count", "word"), (0.65, 0.12, 0.16, 0.07))[0]
        yield {"two": _two, "one": _one, "count": _count, "word": _word}[kind](rng)


def vocabulary() -> list[str]:
    """Every word that the grammar can say, in a fixed order."""
    seen: dict[str, None] = {}
    for word in (*COLOURS, *SHAPES, *(f"{s}s" for s in SHAPES), "crosses", *SIZES, *NUMBERS):
        seen[word] = None
    source = documents(0)
    for _ in range(4000):
        caption, retellings = next(source)
        for telling in (caption, *retellings):
            for word in telling.split():
                seen[word] = None
    return [w for w in seen if '"' not in w]


def _thing(rng: random.Random, place: str) -> Thing:
    return rng.choice(SIZES), *rng.choice(SEEN[place])


def _said(thing: Thing, with_size: bool, determiner: str = "a") -> str:
    words = _bare(thing, with_size)
    return f"{'an' if determiner == 'a' and words[0] in 'aeiou' else determiner} {words}"


def _one(rng: random.Random) -> tuple[str, list[str]]:
    thing, sized = _thing(rng, "alone"), rng.random() < 0.5
    size, colour, shape = thing
    caption = rng.choice(OPENINGS) + _said(thing, sized, rng.choice(("a", "a", "one", "a single")))
    retellings = [f"alone {colour} {shape}", f"the {shape} is {colour}", "there is one thing"]
    return caption, retellings + ([f"the {shape} is {size}"] if sized else [])


def _count(rng: random.Random) -> tuple[str, list[str]]:
    size, colour, shape = _thing(rng, "many")
    number, sized = rng.choice(NUMBERS), rng.random() < 0.3
    plural = "crosses" if shape == "cross" else f"{shape}s"
    named = f"{size} {colour} {plural}" if sized else f"{colour} {plural}"
    caption = rng.choice((*OPENINGS, "there are ")) + f"{number} {named}"
    return caption, [
        f"many {colour} {shape}",
        f"the {plural} are {colour}",
        f"there are {number} things",
    ]


def _word(rng: random.Random) -> tuple[str, list[str]]:
    word = HELD_OUT_WORDS[0]
    while word in HELD_OUT_WORDS:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(3))
    return f'the word "{word}"', [f"it reads {' '.join(word)}", "there is one word"]


def _two(rng: random.Random) -> tuple[str, list[str]]:
    relation = rng.choice(list(WORDINGS))
    converse = CONVERSE[relation]
    first, second = _thing(rng, relation), _thing(rng, converse)
    sized = (rng.random() < 0.4, rng.random() < 0.4)
    a, b = _said(first, sized[0]), _said(second, sized[1])
    caption = rng.choice(OPENINGS) + f"{a} {rng.choice(WORDINGS[relation])} {b}"
    places = [(SPOTS[relation], first, sized[0]), (SPOTS[converse], second, sized[1])]
    rng.shuffle(places)
    which = rng.choice((1, 2))  # tell the colours apart, or the shapes
    retellings = [
        " ".join(f"{thing[which]} {place}" for place, thing, _ in places),
        " ".join(f"{place} {thing[3 - which]}" for place, thing, _ in places),
        " , ".join(f"{place} {_bare(thing, with_size)}" for place, thing, with_size in places),
        f"{b} {rng.choice(WORDINGS[converse])} {a}",
    ]
    return caption, retellings


def _bare(thing: Thing, with_size: bool) -> str:
    size, colour, shape = thing
    return f"{size} {colour} {shape}" if with_size else f"{colour} {shape}"
