"""What a caption of the shapes world says, read back from its words: the inverse of `phrase`
(imagen_lit/shapes/caption.py)."""

import re
from collections.abc import Iterable
from typing import Any

from imagen_lit.shapes import caption
from imagen_lit.shapes.scene import COLOURS, SHAPES

WORDINGS = {words: relation for relation, several in caption.WORDINGS.items() for words in several}
COUNTS = {word: count for count, word in caption.NUMBERS.items()}


def _any_of(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words))


OPENING = re.compile(f"(?:{_any_of([*filter(None, caption.OPENINGS), 'there are '])})?")
OBJECT = rf"(?:(small|large) )?({_any_of(COLOURS)}) ({_any_of(SHAPES)})"
WORD = re.compile(r'the word "([^"]+)"')
ONE = re.compile(rf"(?:an|{_any_of(caption.SINGLE)}) {OBJECT}")
TWO = re.compile(rf"an? {OBJECT} ({_any_of(WORDINGS)}) an? {OBJECT}")
MANY = re.compile(rf"({_any_of(COUNTS)}) {OBJECT}(?:es|s)")


def meaning(text: str) -> dict[str, Any] | None:
    """The expectation of a caption; None for one that is not of this grammar."""
    rest = text[OPENING.match(text).end() :]  # type: ignore[union-attr]  # it may be empty
    if found := WORD.fullmatch(rest):
        return _expectation("word", [], word=found[1])
    if found := ONE.fullmatch(rest):
        return _expectation("one", [_object(found.groups())])
    if found := MANY.fullmatch(rest):
        objects = [_object(found.groups()[1:]) for _ in range(COUNTS[found[1]])]
        return _expectation("count", objects)
    if found := TWO.fullmatch(rest):
        first, relation, second = found.groups()[:3], found[4], found.groups()[4:]
        return _expectation("two", [_object(first), _object(second)], WORDINGS[relation])
    return None


def _object(words: tuple[str | None, ...]) -> dict[str, str | None]:
    size, colour, shape = words
    return {"colour": colour, "shape": shape, "size": size}


def _expectation(
    category: str, objects: list[Any], relation: str | None = None, word: str | None = None
) -> dict[str, Any]:
    return {"category": category, "objects": objects, "relation": relation, "word": word}
