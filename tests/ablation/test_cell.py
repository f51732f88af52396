"""A cell's name is its settings': the same for the same, another for others."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_lit.ablation.cell import BY_HAND, LONGEST, Cell, folder_name

KEYS = st.from_regex(r"[a-z]{1,6}(\.[a-z]{1,5}){0,2}", fullmatch=True)
VALUES = st.integers(0, 99) | st.booleans() | st.sampled_from(["a", "A", "a b", "a-b", "a+b"])
SETTINGS = st.dictionaries(KEYS, VALUES | st.lists(VALUES, max_size=3), max_size=9)


@settings(max_examples=40, deadline=None)
@given(SETTINGS, st.randoms())
def test_the_order_of_settings_does_not_matter(some: dict[str, Any], chance: random.Random) -> None:
    items = list(some.items())
    chance.shuffle(items)
    assert folder_name(dict(items)) == folder_name(some)


@settings(max_examples=60, deadline=None)
@given(SETTINGS, SETTINGS)
def test_other_settings_have_another_name(some: dict[str, Any], others: dict[str, Any]) -> None:
    is_same = {k: str(v) for k, v in some.items()} == {k: str(v) for k, v in others.items()}
    assert is_same or folder_name(some) != folder_name(others)


@settings(max_examples=40, deadline=None)
@given(SETTINGS)
def test_a_name_is_one_folder_of_any_disk(some: dict[str, Any]) -> None:
    name = folder_name(some)
    assert name and len(name) <= LONGEST + 7
    assert not set(name) & set("/ \"'=:*?\\") and name not in (".", "..")


def test_a_name_says_what_differs() -> None:
    assert folder_name({}) == "usual"
    assert folder_name({"text": "t5_nano", "seed": 1}) == "seed-1+text-t5_nano"
    assert folder_name({"cascade.base.recipe.steps": 16}) == "base.steps-16"


def test_a_name_that_is_too_long_keeps_the_shortest_settings() -> None:
    name = folder_name({"a_long_list": list(range(60)), "seed": 1, "lr": 0.1})
    assert name.startswith("lr-0.1+seed-1+")


def test_a_line_is_what_a_person_types() -> None:
    cell = Cell("train", {"stage": "demo_base", "data.shards": "my data", "name": "a"}, "a")
    assert (
        cell.line
        == "python -m imagen_lit.train stage=demo_base 'data.shards='\"'\"'my data'\"'\"'' name=a"
    )
    assert Cell(BY_HAND, {"line": "hf download x"}, "encoders/x").line == "hf download x"
