"""What a text encoder loses of a text: the words beyond its length, and words it does not know.

A word is not known if its tokens contain the unknown token, or if it is spelled letter by letter,
as a tiny vocabulary spells all that its training never showed. A byte-level vocabulary has no
unknown token, and no token for what it has rarely seen.
"""

import re
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from torch import Tensor

from imagen_lit.basics.short_form import shorten
from imagen_lit.data import lost_captions
from imagen_lit.text.text_encoder import TextEncoder

WORD = re.compile(r"\w+|[^\w\s]")
MOST = 5  # prompts that are named


def words_beyond(encoder: TextEncoder, text: str) -> str:
    """The end of a text, from the first word that the encoder does not read completely."""
    ends = [0, *(word.end() for word in re.finditer(r"\S+", text))]
    count = bisect_right(ends, encoder.max_length, key=lambda end: _length(encoder, text[:end]))
    return text[ends[max(0, count - 1)] :].strip()


def _length(encoder: TextEncoder, text: str) -> int:
    return len(encoder.token_ids([text])[0])


def unknown_words(encoder: TextEncoder, texts: Iterable[str]) -> set[str]:
    """The words of these texts that the encoder does not know; each is looked up once."""
    words = sorted({word for text in texts for word in WORD.findall(text)})
    if not words:
        return set()
    tokens = encoder.pieces(words)
    unknown = encoder.unknown_token
    return {
        word
        for word, pieces in zip(words, tokens, strict=True)
        if unknown in pieces or _is_spelled(word, pieces)
    }


def _is_spelled(word: str, pieces: Sequence[str]) -> bool:
    """Whether each letter is a token of its own; short words and scripts without cases aside."""
    has_cases = all(letter.lower() != letter.upper() for letter in word)
    return has_cases and 3 <= len(word) <= sum(piece != "▁" for piece in pieces)


class CountingEncoder:
    """An encoder that counts what it loses while it measures captions, which are then tokenised no
    second time."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder, self.name = encoder, encoder.name
        self._lengths: dict[str, int] = {}

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption, as `encode` counts them."""
        whole = [len(ids) for ids in self.encoder.token_ids(captions)]
        self._lengths = dict(zip(captions, whole, strict=True))
        return [min(length, self.encoder.max_length) for length in whole]

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """The encoder's own."""
        return self.encoder.encode(captions)

    def fingerprint(self) -> dict[str, str]:
        """The encoder's own."""
        return self.encoder.fingerprint()

    def lost(self, captions: Sequence[str]) -> dict[str, str]:
        """What is lost of the captions that were measured last, as fields of a header."""
        cut = [caption for caption in captions if self._lengths[caption] > self.encoder.max_length]
        unknown = unknown_words(self.encoder, captions)
        words = [{word for word in WORD.findall(text) if word in unknown} for text in captions]
        example = (min(cut), words_beyond(self.encoder, min(cut))) if cut else None
        return lost_captions.fields(len(captions), len(cut), example, words)


def warn(encoder: TextEncoder, prompts: Iterable[str]) -> None:
    """Say what is lost of prompts that are about to be drawn."""
    distinct = list(dict.fromkeys(prompts))
    lengths = encoder.token_ids(distinct) if distinct else []
    cut = [p for p, ids in zip(distinct, lengths, strict=True) if len(ids) > encoder.max_length]
    for prompt in cut[:MOST]:
        end = shorten(words_beyond(encoder, prompt))
        warnings.warn(
            f"the prompt {shorten(prompt)!r} is longer than the {encoder.max_length} tokens that "
            f"the text encoder {encoder.name} reads. This is lost: {end!r}",
            stacklevel=3,
        )
    if len(cut) > MOST:
        warnings.warn(f"{len(cut) - MOST} more prompts are cut like these", stacklevel=3)
    unknown = unknown_words(encoder, distinct)
    ordered = dict.fromkeys(w for p in distinct for w in WORD.findall(p) if w in unknown)
    if ordered:
        more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
        warnings.warn(
            f"the text encoder {encoder.name} does not know words of prompts: "
            f"{', '.join([*ordered][:10])}{more}",
            stacklevel=3,
        )
