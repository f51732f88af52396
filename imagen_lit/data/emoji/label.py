"""What each emoji is called in English, and the concept it belongs to, by the table of Emojibase.

Parts of emoji (a skin tone, a hair) and letters of flags are no pictures of a thing, and have no
label here.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from imagen_lit.data.emoji import code

PARTS_OF_EMOJI = 2  # a group of the table
VOWELS, NOT_SPOKEN = "aeiou", ("uni", "us", "ut", "eu", "one")  # "a unicorn", "an umbrella"


class Label(NamedTuple):
    """The name of an emoji, and the code of its concept."""

    text: str
    concept: str


def read(table: bytes) -> dict[str, Label]:
    """The labels by normal code; skin tones have labels of their own and share a concept."""
    labels = {}
    for emoji in json.loads(table):
        if emoji.get("group") in (None, PARTS_OF_EMOJI):
            continue
        concept = code.concept(emoji["hexcode"])
        for each in _variants(emoji):
            labels[code.normal(each["hexcode"])] = Label(each["label"], concept)
    return labels


def caption(text: str, style: str) -> str:
    """`a red apple, 3D render`."""
    word = text.lower()
    is_vowel = word.startswith(tuple(VOWELS)) and not word.startswith(NOT_SPOKEN)
    return f"{'an' if is_vowel else 'a'} {text}, {style}"


def _variants(emoji: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield emoji
    yield from emoji.get("skins", ())
