"""The name of an image's file: `<prompt>_seed<seed>.png`, readable in any script.

Two prompts never share a name, also where a disk ignores case or takes two spellings of one letter
for the same: if the readable part does not determine the prompt, a digest follows it.
"""

import hashlib
import unicodedata

LONGEST = 100  # bytes of the readable part: a disk takes 255 for the whole name


def file_name(prompt: str, seed: int, suffix: str = ".png") -> str:
    """`a-red-circle_seed0.png`; `a-red-circle_1f2e3d4c_seed0.png` for "A red circle!"."""
    slug = _slug(prompt)
    if not slug or slug.replace("-", " ") != prompt:
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:8]
        slug = f"{slug or 'without-words'}_{digest}"
    return f"{slug}_seed{seed}{suffix}"


def _slug(prompt: str) -> str:
    """The letters, marks and numbers of a prompt in lower case, all else a hyphen, cut to a length
    that a disk takes."""
    text = unicodedata.normalize("NFC", prompt.lower())
    words = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in text)
    cut = "-".join(words.split()).encode()[:LONGEST].decode(errors="ignore")
    return cut.strip("-")
