"""Counts and durations stay short, and keep their first three digits."""

import pytest

from imagen_lit.basics import short_form


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (640, "640"), (999, "999"), (999.7, "1k"), (1000, "1k"), (54_912, "54.9k"),
     (152_992, "153k"), (999_900, "1M"), (2.56e9, "2.56G"), (9.554, "9.55"), (0.25, "0.25")],
)  # fmt: skip
def test_a_count_in_a_few_characters(number: float, text: str) -> None:
    assert short_form.count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "now"), (59, "now"), (61, "1 min"), (3599, "60 min"), (3700, "1 h"), (26 * 3600, "26 h"),
     (3 * 86400, "3 d")],
)  # fmt: skip
def test_a_duration_in_a_few_characters(seconds: float, text: str) -> None:
    assert short_form.span(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 entries"), (1, "1 entry"), (2_300, "2,300 entries")]
)
def test_one_of_a_thing_is_not_called_by_its_plural(number: int, text: str) -> None:
    assert short_form.quantity(number, "entry", "entries") == text
    assert short_form.quantity(number, "x") == text.split()[0] + (" x" if number == 1 else " xs")
