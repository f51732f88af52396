"""Near-duplicates of public prompt sets, without their texts: a list of hashes of their shingles.

A shingle is three content words in a row (all of them, where a prompt has fewer), and
public_shingles.txt holds a salted hash of each shingle of the sets that it names. A prompt is near
if half of its shingles are among them. A copy with one word exchanged keeps at least half from
eight content words on; of a shorter one only if the word stands near an end. That is the coarse net
that works offline: with the sets' files at hand, tests/suites/test_public_sets.py compares whole
texts.
"""

import hashlib
from functools import cache
from importlib import resources

from imagen_lit.suites.near_duplicate import content_words

SALT = "imagen_lit suites 1"
LENGTH = 3  # content words of a shingle
SHARE = 0.5  # of a prompt's shingles


def shingles(text: str) -> list[str]:
    """The hashes of a text's shingles."""
    words = content_words(text)
    runs = [words[i : i + LENGTH] for i in range(max(1, len(words) - LENGTH + 1))]
    return [hashlib.sha256(f"{SALT} {' '.join(run)}".encode()).hexdigest()[:12] for run in runs]


def is_near(text: str) -> bool:
    """Whether at least half of a text's shingles come from a public set."""
    own = shingles(text)
    return sum(shingle in hashes() for shingle in own) >= SHARE * len(own)


@cache
def hashes() -> frozenset[str]:
    """The hashes of all sets; a line that begins with # says which set follows."""
    file = resources.files("imagen_lit.suites") / "public_shingles.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
