"""Which pictures training never sees: frozen, by a hash of the concept alone.

- `concepts`: some concepts are held out in every style.
- `pairs`: of some other concepts one style is held out, so a model has seen the concept in other
  styles, and the style of other concepts, but never the two together.
- `train`: all others.

Of a held-out concept and style one picture is for tests, the one with the shortest code; its other
skin tones and the like are nearly the same, so they are in no part.
"""

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, TypeVar

SEED = 0  # of the hash; another one is another benchmark
CONCEPTS, PAIRS = 0.05, 0.2  # shares of the concepts; the pairs' is of those that are left
PARTS = ("train", "pairs", "concepts")


class Entry(NamedTuple):
    """A picture by what it shows and how."""

    concept: str
    style: str
    code: str


Place = TypeVar("Place", bound=Hashable)


def part_of(concept: str, style: str, styles: Sequence[str], available: Iterable[str]) -> str:
    """The part of a concept's pictures in a style, where `available` are the styles in which the
    concept is there at all: of a concept in one style no pair is held out."""
    if _share("concept", concept) < CONCEPTS:
        return "concepts"
    held_out = styles[int(_share("style", concept) * len(styles))]
    is_chosen = _share("pair", concept) < PAIRS and held_out == style
    return "pairs" if is_chosen and set(available) - {style} else "train"


def split(entries: Iterable[Entry], styles: Sequence[str]) -> dict[str, list[Entry]]:
    """The entries of each part, by code and style."""
    entries = sorted(entries, key=lambda entry: (entry.code, styles.index(entry.style)))
    available: dict[str, set[str]] = {}
    for entry in entries:
        available.setdefault(entry.concept, set()).add(entry.style)
    parts: dict[str, list[Entry]] = {part: [] for part in PARTS}
    for entry in entries:
        there = available[entry.concept]
        parts[part_of(entry.concept, entry.style, styles, there)].append(entry)
    for part in PARTS[1:]:
        parts[part] = _one_each(parts[part])
    return parts


def _one_each(entries: list[Entry]) -> list[Entry]:
    """Of each concept and style the entry of the shortest code."""
    chosen: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: (len(entry.code), entry.code)):
        chosen.setdefault((entry.concept, entry.style), entry)
    return [entry for entry in entries if chosen[entry.concept, entry.style] is entry]


def _share(purpose: str, concept: str) -> float:
    """Evenly spread over [0, 1)."""
    digest = hashlib.sha256(f"{SEED} {purpose} {concept}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
