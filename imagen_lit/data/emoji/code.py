"""The code of an emoji: its code points in hexadecimal, as `1F44B-1F3FB`.

Sets of pictures write codes in many ways; `normal` makes them one. `concept` is the code of what is
shown: skin tones, man, woman and person, and the direction that somebody faces make pictures that
are nearly the same, so they share a concept.
"""

import re

VARIATION, JOINER = 0xFE0F, 0x200D
SKIN_TONES = range(0x1F3FB, 0x1F400)
PERSON = {  # man and woman, boy and girl, old man and woman
    **dict.fromkeys((0x1F468, 0x1F469), 0x1F9D1),
    **dict.fromkeys((0x1F466, 0x1F467), 0x1F9D2),
    **dict.fromkeys((0x1F474, 0x1F475), 0x1F9D3),
}
SIGNS = {0x2640, 0x2642, 0x27A1}  # behind a joiner: female, male, facing right
HANDS = "1F9D1-200D-1F91D-200D-1F9D1"
COUPLES = {  # that have a code of their own beside the one of their persons
    **dict.fromkeys(("1F46B", "1F46C", "1F46D"), HANDS),
    "1F491": "1F9D1-200D-2764-200D-1F9D1",
    "1F48F": "1F9D1-200D-2764-200D-1F48B-200D-1F9D1",
}


def normal(code: str) -> str:
    """In capitals of four digits at least, without the sign for a coloured variant."""
    return _text([point for point in _points(code) if point != VARIATION])


def concept(code: str) -> str:
    """The code of what is shown."""
    points = [PERSON.get(point, point) for point in _points(code) if point not in SKIN_TONES]
    shown: list[int] = []
    for point in points:
        if point in SIGNS and shown[-1:] == [JOINER]:
            shown.pop()
        elif point != VARIATION:
            shown.append(point)
    text = _text(shown)
    return COUPLES.get(text, text)


def _points(code: str) -> list[int]:
    return [int(point, 16) for point in re.split("[-_]", code)]


def _text(points: list[int]) -> str:
    return "-".join(f"{point:04X}" for point in points)
