"""What a sample's .json says: a stranger's words, of which nothing is believed but that they are
words. One that cannot be read says nothing."""

import json
from typing import Any

TURNS = {  # exifread's words, which img2dataset writes
    "Mirrored horizontal": 2,
    "Rotated 180": 3,
    "Mirrored vertical": 4,
    "Mirrored horizontal then rotated 90 CCW": 5,
    "Rotated 90 CW": 6,
    "Mirrored horizontal then rotated 90 CW": 7,
    "Rotated 90 CCW": 8,
}


def said(text: bytes | str) -> dict[str, Any]:
    """The object that stands in a text, or an empty one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, a number without end, too deep
        return {}
    return found if isinstance(found, dict) else {}


def turn(text: bytes) -> int:
    """Exif's orientation that a .json remembers, 1 where it does not.

    img2dataset stores a picture that was taken sideways as it is and drops its Exif; what it was
    stands in the .json, as text in a text.
    """
    if b"Image Orientation" not in text:
        return 1
    exif = said(text).get("exif")
    name = said(exif).get("Image Orientation") if isinstance(exif, str) else None
    return TURNS.get(name, 1) if isinstance(name, str) else 1
