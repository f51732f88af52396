"""Which tokens of a prompt are which of its words, for any encoder's vocabulary."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from imagen_lit.text.text_encoder import TextEncoder


class WordTokens(NamedTuple):
    """A word, and its tokens `first` to `last`, without the last."""

    word: str
    first: int
    last: int


def of(encoder: TextEncoder, prompt: str) -> list[WordTokens]:
    """The words of a prompt, in order; together they have all its tokens but those that mark its
    start and its end. A word beyond the encoder's length has none."""
    ends = [(word[0], word.end()) for word in re.finditer(r"\S+", prompt)]
    empty, *starts, whole = encoder.token_ids(["", *(prompt[:end] for _, end in ends), prompt])
    before = _common(empty, whole) if empty[:1] == whole[:1] else 0
    after = max(0, len(empty) - before)
    words = []
    for number, (word, _) in enumerate(ends, 1):
        is_last = number == len(ends)
        last = len(whole) - after if is_last else _common(starts[number - 1], whole)
        last = max(before, min(last, len(whole) - after, encoder.max_length))
        words.append(WordTokens(word, before, last))
        before = last
    return words


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
