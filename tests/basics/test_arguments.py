"""Numbers that a person typed: the right kind, or an error in words."""

import math
import re

import pytest

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError


@pytest.mark.parametrize("value", [-1, 1.5, True, None, "3"])
def test_what_is_not_a_whole_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"workers=.* is not a whole number of 0 or more\. Set"):
        arguments.whole_number("workers", value, 0)
    with pytest.raises(InputError, match="Set workers="):
        arguments.whole_numbers({"workers": value}, workers=0)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "3", True])
def test_what_is_not_a_positive_number_is_refused(value: object) -> None:
    limit = r"below 1e300\. Set it lower" if value == math.inf else r"above 0\. Set it above 0"
    with pytest.raises(InputError, match=rf"weight=.* is not a number {limit}\."):
        arguments.positive_number("weight", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_not_a_fraction_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"drop=.* is not between 0 and 1\. Set drop=0\.1"):
        arguments.fraction("drop", value)


@pytest.mark.parametrize("value", [-0.1, 1, 2, math.nan, math.inf, "0", True, None])
def test_what_is_not_in_a_range_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"momentum=.* is not a number of 0 or more and less"):
        arguments.number("momentum", value, 0, below=1)


@pytest.mark.parametrize("value", ["Mean", "", None, True, 1, ["mean"]])
def test_what_is_none_of_a_few_words_is_refused(value: object) -> None:
    assert arguments.choice("pool", "none", ("mean", "none")) == "none"
    with pytest.raises(InputError, match=r"pool=.* is none of mean, none\. Set pool=mean, for"):
        arguments.choice("pool", value, ("mean", "none"))


def test_lists_of_unequal_lengths_are_refused_with_their_lengths() -> None:
    arguments.equal_lengths("network", channels=[1, 2], blocks=[1, 1], skips=None)
    with pytest.raises(InputError, match=r"network\.channels has 2, network\.blocks has 3: each"):
        arguments.equal_lengths("network", channels=[1, 2], blocks=[1, 1, 1])
    with pytest.raises(InputError, match=r"network\.channels has 0"):
        arguments.equal_lengths("network", channels=[], blocks=[])


@pytest.mark.parametrize(("at_least", "advice"), [(0, "Set n=0,"), (1, "Set it to 1 or more.")])
def test_no_advice_names_a_value_that_nobody_wants(at_least: int, advice: str) -> None:
    with pytest.raises(InputError, match=re.escape(advice)):
        arguments.whole_number("n", -1, at_least)


@pytest.mark.parametrize("value", [1e300, -1e300, math.inf, -math.inf, 2**62])
def test_a_number_that_is_too_large_is_told_the_limit(value: float) -> None:
    with pytest.raises(InputError, match=r"is not a number between -2\^62 and 2\^62\. Set"):
        arguments.finite("weight", value)
    if value > 2**62:
        with pytest.raises(InputError, match=r"is not a number of 0 or more and less than 1e300"):
            arguments.number("weight", value, 0)


@pytest.mark.parametrize("value", [math.nan, "3", True, None])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"weight=.* is not a number\. Set weight=3"):
        arguments.finite("weight", value)


def test_a_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"seed=\d+ is not a whole number of 0 or more below 2\^62"
    ):
        arguments.whole_number("seed", 2**62, 0)


@pytest.mark.parametrize("value", [None, "", [1], {"a": 1}, True])
def test_what_is_no_file_or_folder_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"out=.* is not a file or folder\. Set out=mine"):
        arguments.path("out", value)
    assert str(arguments.path("out", 2024)) == "2024"


@pytest.mark.parametrize("value", [0, 1, "words", "true", [True], {}])
def test_what_is_neither_true_nor_false_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"save=.* is neither true nor false\. Set save=true"):
        arguments.switch("save", value)
    assert [arguments.switch("save", each) for each in (True, False, None)] == [True, False, False]


def test_numbers_in_range_come_back() -> None:
    assert arguments.whole_number("n", 3, 3) == 3
    assert arguments.positive_number("n", 2) == 2.0
    assert arguments.fraction("n", 1) == 1
