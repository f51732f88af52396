"""Numbers keep the digits that their interval supports."""

import math

import pytest

from imagen_lit.basics import rounding


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.827, 0.827 - 0.119, 0.827 + 0.119, "0.83 [0.71, 0.95]"),  # the group's own examples
        (0.827, 0.827 - 0.367, 0.827 + 0.367, "0.8 [0.5, 1.2]"),
        (12.3456, 11.8, 12.9, "12.3 [11.8, 12.9]"),
        (0.25431, 0.2522, 0.2564, "0.2543 [0.2522, 0.2564]"),
        (123456.0, 121000.0, 125900.0, "123500 [121000, 125900]"),
        (10.0, 10.0 - 0.0996, 10.0 + 0.0996, "10.00 [9.90, 10.10]"),
        (-0.001, -0.3, 0.3, "-0.001 [-0.30, 0.30]"),
        (0.0004, 0.0, 0.031, "0.0004 [0.000, 0.031]"),  # not nothing, whatever the interval
        (0.01, 0.00002, 0.031, "0.010 [2e-05, 0.031]"),
        (0.0, 0.0, 0.031, "0.000 [0.000, 0.031]"),
        (3.0, -400.0, 406.0, "0 [-400, 410]"),
        (0.25, 0.0, 1.0, "0.25 [0.00, 1.00]"),  # one black image of four is no fifth
        (0.031, -0.02, 0.09, "0.03 [-0.02, 0.09]"),
        (1e-9, 0.9e-9, 1.1e-9, "0.00000000100 [0.00000000090, 0.00000000110]"),
    ],
)
def test_a_value_is_cut_where_its_interval_is(
    value: float, low: float, high: float, text: str
) -> None:
    assert rounding.with_interval(value, (low, high)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(12.3456, "12.3"), (0.0, "0"), (0.00001234, "0.0000123"), (2345.6, "2350")]
)
def test_without_an_interval_three_digits_are_left(value: float, text: str) -> None:
    assert rounding.with_interval(value, None) == text


@pytest.mark.parametrize("exponent", range(-6, 7))
@pytest.mark.parametrize("lead", [1.0, 1.5, 3.54, 3.56, 9.49, 9.51, 9.996])
def test_rounding_moves_a_value_by_less_than_a_sixth_of_its_reach(
    lead: float, exponent: int
) -> None:
    reach = lead * 10.0**exponent
    step = 10.0 ** -rounding.places(reach)
    assert 2.8 <= reach / step <= 36 and step / 2 <= reach / 5
    assert math.isclose(float(rounding.rounded(9.7 * step, (-reach, reach))), 10 * step)
