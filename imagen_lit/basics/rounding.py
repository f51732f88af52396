"""Numbers with as many digits as their interval supports, by the rule of the Particle Data Group
(Workman et al. 2022, section 5.3): the reach of the interval keeps two digits if it begins with 10
to 35, and one if it begins with 36 to 94; the value is cut at the same place. What would be cut to
nothing, and is something, keeps its first digit; what is less than the reach, and would be changed
by more than a tenth, keeps one digit more.
"""

import math
from collections.abc import Sequence

UNKNOWN = 3  # digits of a value without an interval


def places(reach: float) -> int:
    """Decimal places that an uncertainty of this size supports; negative for tens and hundreds."""
    exponent = math.floor(math.log10(reach))
    lead = round(reach / 10**exponent * 100)
    if lead >= 1000:  # 9.996 begins with 10
        exponent, lead = exponent + 1, 100
    return (1 if lead < 355 or lead >= 950 else 0) - exponent - (1 if lead >= 950 else 0)


def rounded(value: float, interval: Sequence[float] | None) -> str:
    """The value as text."""
    return _with(value, _places_of(value, interval))


def ends(value: float, interval: Sequence[float] | None) -> tuple[str, str] | None:
    """The ends of its interval as texts; None without one."""
    if interval is None:
        return None
    low, high = (_with(end, _places_of(value, interval)) for end in interval)
    return low, high


def with_interval(value: float, interval: Sequence[float] | None) -> str:
    """12.3 [11.8, 12.9]; without an interval the value alone."""
    texts = ends(value, interval)
    text = rounded(value, interval)
    return text if texts is None else f"{text} [{texts[0]}, {texts[1]}]"


def _places_of(value: float, interval: Sequence[float] | None) -> int:
    reach = 0.0 if interval is None else (interval[1] - interval[0]) / 2
    if reach > 0:
        place = places(reach)
        is_changed = abs(round(value, place) - value) > abs(value) / 10
        return place + 1 if abs(value) < reach and is_changed and _has_one_digit(reach) else place
    return UNKNOWN - 1 - math.floor(math.log10(abs(value))) if value else 0


def _has_one_digit(reach: float) -> bool:
    return reach < 9.5 * 10.0 ** -places(reach)


def _with(number: float, decimals: int) -> str:
    text = f"{round(number, decimals):.{max(0, decimals)}f}"
    if text.strip("-0."):
        return text
    return f"{number:.1g}" if number and decimals > 0 else text.removeprefix("-")  # no -0.0
