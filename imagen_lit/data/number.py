"""Numbers that a person typed: of the right kind, or an error that says what was found."""

import math
from typing import Any


def whole(name: str, found: Any, least: int) -> int:
    if type(found) is not int or found < least:
        raise ValueError(f"found {name}={found}: expected a whole number, {least} or more")
    return found


def above_zero(name: str, found: Any) -> float:
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise ValueError(f"found {name}={found!r}: expected a number above zero")
    return float(found)
