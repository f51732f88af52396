"""What a text encoder lost of a shard's captions, as the header of its sidecar records it.

The counts are of all captions, equal ones included. Files of earlier versions record nothing.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from imagen_lit.basics.short_form import shorten

MOST = 5  # words that a header or a report names


def fields(
    captions: int, cut: int, example: tuple[str, str] | None, unknown: Sequence[Collection[str]]
) -> dict[str, str]:
    """The fields of a header: how many `captions` there are, how many were `cut`, an `example` of
    those (caption, what is lost), and how many have `unknown` words, given for each caption."""
    frequent = Counter(word for words in unknown for word in words)
    return {
        "lost.captions": str(captions),
        "lost.cut": str(cut),
        "lost.unknown": str(sum(map(bool, unknown))),
        "lost.words": json.dumps(_most_frequent(frequent)),
        "lost.example": json.dumps(example),
    }


def of(header: Mapping[str, str]) -> dict[str, str]:
    """The fields of a header that say what was lost."""
    return {name: value for name, value in header.items() if name.startswith("lost.")}


def report(encoder: str, headers: Iterable[Mapping[str, str]]) -> list[str]:
    """What is lost of all captions of these files, in words; nothing if nothing is."""
    total: Counter[str] = Counter()
    words: Counter[str] = Counter()
    example: Any = None
    for header in headers:
        if "lost.captions" in header:
            total.update({k: int(header[f"lost.{k}"]) for k in ("captions", "cut", "unknown")})
            words.update(dict(json.loads(header["lost.words"])))
            example = example or json.loads(header["lost.example"])
    lines = []
    if total["cut"]:
        caption, lost = map(shorten, example)
        verb = "is" if total["cut"] == 1 else "are"
        lines.append(
            f"{total['cut']:,} of {total['captions']:,} captions {verb} longer than {encoder} "
            f"reads: of {caption!r}, for example, it loses {lost!r}"
        )
    if total["unknown"]:
        listing = ", ".join(f"{word} ({count:,})" for word, count in _most_frequent(words))
        verb = "has" if total["unknown"] == 1 else "have"
        lines.append(
            f"{total['unknown']:,} of {total['captions']:,} captions {verb} words that {encoder} "
            f"does not know, most often {listing}"
        )
    return lines


def _most_frequent(words: Counter[str]) -> list[tuple[str, int]]:
    """By frequency, then by the alphabet, so that the same captions give the same bytes."""
    return sorted(words.items(), key=lambda item: (-item[1], item[0]))[:MOST]
