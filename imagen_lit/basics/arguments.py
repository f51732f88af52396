"""Numbers that a person typed: each function returns the number, or raises an `InputError`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError

LARGEST = 2**62  # leaves room for sums in 64 bits
BEYOND = 1e300  # an int of more digits is no float


def path(name: str, value: Any) -> Path:
    """A file or folder; `folder=2024` is one too, though YAML reads a number."""
    if type(value) not in (str, int, float) or value == "":
        raise InputError(f"{name}={value!r} is not a file or folder. Set {name}=mine, for example.")
    return Path(str(value))


def switch(name: str, value: Any) -> bool:
    """True or false; null is false."""
    if value is not None and type(value) is not bool:
        raise InputError(f"{name}={value!r} is neither true nor false. Set {name}=true, or false.")
    return bool(value)


def choice(name: str, value: Any, allowed: Iterable[str]) -> str:
    """One of a few words."""
    words = list(allowed)
    if type(value) is not str or value not in words:
        raise InputError(
            f"{name}={value!r} is none of {', '.join(words)}. Set {name}={words[0]}, for example."
        )
    return value


def finite(name: str, value: Any) -> float:
    """Any int or float that 64 bits hold, so neither infinities nor nan."""
    if type(value) not in (int, float) or not -LARGEST < value < LARGEST:
        limit = " between -2^62 and 2^62" if _is_number(value) else ""
        raise InputError(f"{name}={value!r} is not a number{limit}. Set {name}=3, for example.")
    return float(value)


def whole_number(name: str, value: Any, at_least: int) -> int:
    """An int of `at_least` or more, as far as 64 bits count; a bool does not count."""
    if type(value) is not int or not at_least <= value < LARGEST:
        is_large = type(value) is int and value >= LARGEST
        limit = " below 2^62" if is_large else ""
        advice = (
            f"Set {name}=0, for example." if at_least == 0 else f"Set it to {at_least} or more."
        )
        raise InputError(
            f"{name}={value!r} is not a whole number of {at_least} or more{limit}. "
            f"{'Set it lower.' if is_large else advice}"
        )
    return value


def whole_numbers(values: Mapping[str, Any], **at_least: int) -> None:
    """Check several keys at once: `whole_numbers(cfg, images=1, seed=0)`."""
    for name, smallest in at_least.items():
        whole_number(name, values[name], smallest)


def positive_number(name: str, value: Any) -> float:
    """A finite int or float above 0."""
    if type(value) not in (int, float) or not 0 < value < BEYOND:
        if _is_number(value) and value > 0:
            raise InputError(f"{name}={value!r} is not a number below 1e300. Set it lower.")
        raise InputError(f"{name}={value!r} is not a number above 0. Set it above 0.")
    return float(value)


def number(name: str, value: Any, at_least: float, below: float = math.inf) -> float:
    """A finite int or float in [at_least, below)."""
    if type(value) not in (int, float) or not at_least <= value < min(below, BEYOND):
        limit = "" if below == math.inf else f" and less than {below:g}"
        if not limit and _is_number(value) and value >= BEYOND:
            limit = " and less than 1e300"
        raise InputError(
            f"{name}={value!r} is not a number of {at_least:g} or more{limit}. "
            f"Set {name}={at_least:g}, for example."
        )
    return float(value)


def _is_number(value: Any) -> bool:
    """Whether it is one at all, be it infinite; nan is none."""
    return type(value) in (int, float) and value == value


def equal_lengths(owner: str, **lists: Sequence[Any] | None) -> None:
    """Check that lists with an entry for each level have the same number of them."""
    lengths = {name: len(values) for name, values in lists.items() if values is not None}
    if len({*lengths.values()}) > 1 or 0 in lengths.values():
        counted = ", ".join(f"{owner}.{name} has {length}" for name, length in lengths.items())
        raise InputError(
            f"{counted}: each needs one entry for every level of the network. Set them to lists "
            "of the same length."
        )


def fraction(name: str, value: float) -> float:
    """A number from 0 to 1."""
    if not 0 <= value <= 1:
        raise InputError(f"{name}={value} is not between 0 and 1. Set {name}=0.1, for example.")
    return value
