"""Differing settings are all named, what a person types first."""

from imagen_lit.basics.settings_diff import SHOWN, differing_keys, flatten, settings_diff


def test_settings_are_flattened_to_the_keys_that_are_typed() -> None:
    assert flatten({"a": {"b": 1, "c": [2]}, "d": None}) == {"a.b": 1, "a.c": [2], "d": None}


def test_equal_settings_have_no_difference() -> None:
    assert settings_diff({"a": 1}, {"a": 1}) == "" and differing_keys({"a": 1}, {"a": 1}) == []


def test_short_keys_come_first_and_a_missing_one_is_absent() -> None:
    there, here = {"b.c": 1, "z": 2}, {"z": 3, "b.c": 4, "a.d": 5}
    assert settings_diff(there, here) == (
        "z is 2 there, 3 here; a.d is absent there, 5 here; b.c is 1 there, 4 here"
    )


def test_of_many_differences_some_are_named_and_all_are_counted() -> None:
    there, here = ({f"k{n:02}": n + shift for n in range(50)} for shift in (0, 1))
    text = settings_diff(there, here)
    assert text.count(" there, ") == SHOWN and text.endswith(f"k15 and {50 - 2 * SHOWN} more")
    few = settings_diff({"a": 1}, {"a": 2})
    assert few == "a is 1 there, 2 here"


def test_a_copy_of_a_setting_is_no_second_difference() -> None:
    there = {"optimizer.lr": 1, "stage.optimizer.lr": 1, "text.lr": 1}
    here = {"optimizer.lr": 2, "stage.optimizer.lr": 2, "text.lr": 3}
    assert settings_diff(there, here) == (
        "optimizer.lr is 1 there, 2 here; text.lr is 1 there, 3 here"
    )
