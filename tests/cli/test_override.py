"""A setting as a word: Hydra's own parser gives the same value back."""

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from imagen_lit.cli import override

KEYS = st.from_regex(r"[a-z][a-z_]{0,6}(\.[a-z]{1,5}){0,2}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)
AWKWARD = st.sampled_from(
    ["null", "True", "1e3", "0x1", "a b", "it's", r"\'", "${x}", "[1]", "~", "A¹"]
)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False)
LEAVES = st.none() | st.booleans() | NUMBERS | AWKWARD | TEXTS
VALUES = LEAVES | st.lists(LEAVES, max_size=3)


def read(word: str) -> tuple[str, Any]:
    parsed = OverridesParser.create().parse_override(word)
    return parsed.get_key_element(), parsed.value()


@settings(max_examples=100, deadline=None)
@given(KEYS, VALUES)
def test_hydra_reads_the_value_that_was_written(key: str, value: Any) -> None:
    assert read(override.word(key, value)) == (key, value)
    assert type(read(override.word(key, value))[1]) is type(value)


def test_a_mapping_is_read_as_it_was_written() -> None:
    value = {"a": 1, "b": [True, "x y"], "c": {"d": None}}
    assert read(override.word("key", value)) == ("key", value)


@pytest.mark.parametrize("key", ["~cascade.sr2", "~text"])
def test_a_removed_key_has_no_value(key: str) -> None:
    assert override.word(key, None) == key


def test_a_choice_of_a_group_keeps_its_place() -> None:
    word = override.word("stage/recipe@cascade.base.recipe", "base64")
    assert word == "stage/recipe@cascade.base.recipe=base64"
