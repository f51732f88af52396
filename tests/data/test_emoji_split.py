"""Which pictures of emoji are of one concept, and which of them training never sees."""

import os
from pathlib import Path

import pytest

from imagen_lit.data.emoji import artist, code, label, split
from imagen_lit.data.emoji.artist import ARTISTS

REAL = Path(os.environ.get("EMOJI_PACKAGES", "datasets/emoji/packages"))


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        (("1F44B", "1F44B-1F3FF", "1f44b-fe0f"), "1F44B"),
        (("1F3C3", "1F3C3-200D-2640-FE0F", "1F3C3-1F3FD-200D-2642-FE0F-200D-27A1"), "1F3C3"),
        (("1F468-200D-1F680", "1F469-1F3FB-200D-1F680"), "1F9D1-200D-1F680"),
        (("1F46B", "1F469-1F3FB-200D-1F91D-200D-1F468-1F3FC"), "1F9D1-200D-1F91D-200D-1F9D1"),
        (("0039-fe0f-20e3", "39-20e3"), "0039-20E3"),
    ],
)
def test_pictures_that_are_nearly_the_same_share_a_concept(
    codes: tuple[str, ...], shown: str
) -> None:
    assert {code.concept(each) for each in codes} == {shown}


def test_things_that_differ_do_not() -> None:
    others = ["1F44B", "1F44C", "1F9D1-200D-1F680", "1F9D1-200D-1F692", "2640", "1F9D1", "1F9D2"]
    assert len({code.concept(each) for each in others}) == len(others)


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        ("red apple", "a red apple, 3D render"),
        ("owl", "an owl, 3D render"),
        ("unicorn", "a unicorn, 3D render"),
        ("umbrella", "an umbrella, 3D render"),
        ("one o’clock", "a one o’clock, 3D render"),
    ],
)
def test_a_caption_is_the_thing_and_the_style(words: str, caption: str) -> None:
    assert label.caption(words, "3D render") == caption


STYLES = ("w", "x", "y", "z")
ENTRIES = [
    split.Entry(f"{number:X}", style, f"{number:X}{tone}")
    for number in range(2000)
    for style in STYLES
    for tone in ("", "-1F3FB")
]


def test_nothing_held_out_is_trained_on_and_every_pair_was_seen_apart() -> None:
    parts = split.split(ENTRIES, STYLES)
    trained = {(entry.concept, entry.style) for entry in parts["train"]}
    concepts = {concept for concept, _ in trained}
    for entry in parts["pairs"]:
        assert (entry.concept, entry.style) not in trained
        assert {(entry.concept, style) for style in STYLES} - {(entry.concept, entry.style)} <= (
            trained
        )
    assert {entry.style for entry in parts["pairs"]} == set(STYLES)
    assert not concepts & {entry.concept for entry in parts["concepts"]}
    assert 0.03 < len({entry.concept for entry in parts["concepts"]}) / 2000 < 0.07
    assert 0.16 < len(parts["pairs"]) / 2000 < 0.22
    tested = [*parts["pairs"], *parts["concepts"]]
    assert not any("-" in entry.code for entry in tested), "one picture of each is enough"


def test_the_choice_depends_on_no_other_picture() -> None:
    few = [entry for entry in ENTRIES if int(entry.concept, 16) % 7 == 0]
    whole, part, chosen = split.split(ENTRIES, STYLES), split.split(few, STYLES), {*few}
    for name in split.PARTS:
        assert part[name] == [entry for entry in whole[name] if entry in chosen]


def test_the_choice_is_frozen() -> None:
    """Another choice would be another benchmark: scores could not be compared."""
    parts = {
        f"{number:X}": [split.part_of(f"{number:X}", style, STYLES, STYLES) for style in STYLES]
        for number in range(0x1D)
    }
    assert [concept for concept, each in parts.items() if "concepts" in each] == ["18"]
    assert {
        concept: STYLES[each.index("pairs")] for concept, each in parts.items() if "pairs" in each
    } == {"8": "w", "F": "y", "10": "z", "17": "y", "1B": "z", "1C": "z"}


def test_of_a_concept_in_one_style_no_pair_is_held_out() -> None:
    alone = [entry for entry in ENTRIES if entry.style == "x"]
    assert split.split(alone, STYLES)["pairs"] == []


@pytest.mark.skipif(
    not all((REAL / each.name).is_file() for each in artist.PACKAGES),
    reason="the real packages were not fetched (python -m imagen_lit.fetch pictures=emoji)",
)
def test_the_real_packages_hold_what_the_documentation_says() -> None:
    labels = label.read(
        artist.NAMES.read(REAL, lambda name: name == artist.NAMES_FILE)[artist.NAMES_FILE]
    )
    known = {
        name: [each for each in a.pictures(a.package.read(REAL, a.is_wanted)) if each in labels]
        for name, a in ARTISTS.items()
    }
    counts = {"fluent": 3372, "noto": 3682, "openmoji": 3944, "twemoji": 3944}
    assert {name: len(codes) for name, codes in known.items()} == counts
    all_entries = [split.Entry(labels[c].concept, n, c) for n, cs in known.items() for c in cs]
    parts = split.split(all_entries, artist.STYLES)
    assert [len(parts[name]) for name in split.PARTS] == [13_635, 307, 356]
