"""Prompts in other words are found, and different prompts are not."""

import random
import re

import pytest

from imagen_lit.suites import public_sets
from imagen_lit.suites.near_duplicate import TOO_NEAR, Neighbours, content_words, similarity
from imagen_lit.suites.suite import read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A red kettle beside a blue lamp.", "a blue lamp beside the red kettle"),
        ("Three otters on a raft.", "3 otters on the raft!"),
        ("Two cherries in a café", "TWO CHERRY in the cafe"),
    ],
)
def test_order_articles_case_and_numerals_hide_no_copy(one: str, other: str) -> None:
    assert similarity(one, other) == 1


def test_prompts_that_share_a_frame_only_are_not_duplicates() -> None:
    one, other = "A red kettle beside a blue lamp.", "A green otter beside a white tent."
    assert similarity(one, other) < 0.2


@pytest.mark.parametrize("count", [3, 4, 6, 10])
def test_one_word_exchanged_is_a_duplicate_from_four_words_on(count: int) -> None:
    words = "kettle lamp otter raft tent harp acorn comet igloo turnip".split()[:count]
    copy = " ".join([*words[:-1], "zeppelin"])
    assert similarity(" ".join(words), copy) == pytest.approx((count - 1) / (count + 1))
    assert (similarity(" ".join(words), copy) >= TOO_NEAR) == (count >= 4)


def test_the_nearest_prompt_is_the_one_that_a_full_search_finds() -> None:
    texts = [prompt.prompt for prompt in read("M")]
    known, asked = texts[::2], texts[1:60:2]
    neighbours = Neighbours(known)
    for text in asked:
        share, other = neighbours.nearest(text)
        assert share == pytest.approx(max(similarity(text, one) for one in known))
        assert share == 0 or similarity(text, other) == pytest.approx(share)


def test_a_prompt_of_function_words_alone_is_compared_by_them() -> None:
    assert content_words("To be or not to be?") == content_words("to be or NOT to be")


def test_no_frozen_prompt_is_near_to_a_public_set() -> None:
    near = [p.id for p in read("L") if any(map(public_sets.is_near, (p.prompt, p.meant)))]
    assert near == []


def test_the_list_of_shingles_holds_hashes_and_no_words() -> None:
    assert len(public_sets.hashes()) > 6000
    assert all(re.fullmatch("[0-9a-f]{12}", line) for line in public_sets.hashes())


def test_a_copy_with_one_word_exchanged_keeps_half_of_its_shingles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long prompts; the net is coarse for short ones, as the module says."""
    public = [p.prompt for p in read("M") if len(content_words(p.prompt)) >= 8]
    shingles = frozenset(one for text in public for one in public_sets.shingles(text))
    monkeypatch.setattr(public_sets, "hashes", lambda: shingles)
    dice = random.Random(0)
    for text in public:
        words = content_words(text)
        words[dice.randrange(len(words))] = "zeppelin"
        assert public_sets.is_near(" ".join(words)), text
