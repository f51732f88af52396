"""The band around a curve whose points are uncertain both ways: an ellipse with the whiskers of
each point as its axes, and all that lies between two ellipses that follow each other.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Row = Mapping[str, Any]  # its `value` and `interval`; None: a point without a whisker this way
Place = tuple[float, float]

CORNERS = 48  # of an ellipse; a multiple of 4, so that the ends of its whiskers are among them


def polygons(xs: Sequence[Row], ys: Sequence[Row]) -> list[list[Place]]:
    """A convex polygon for each two points that follow each other, against the clock: filled as
    one path, they are one area."""
    ellipses = [[*_ellipse(x, y)] for x, y in zip(xs, ys, strict=True)]
    return [hull([*one, *next_one]) for one, next_one in pairwise(ellipses)]


def hull(places: Sequence[Place]) -> list[Place]:
    """The corners of the convex hull, against the clock (Andrew's monotone chain)."""
    ordered = sorted(set(places))
    if len(ordered) < 3:
        return ordered
    return _half(ordered)[:-1] + _half(ordered[::-1])[:-1]


def _half(ordered: Sequence[Place]) -> list[Place]:
    corners: list[Place] = []
    for place in ordered:
        while len(corners) > 1 and _turn(corners[-2], corners[-1], place) <= 0:
            corners.pop()
        corners.append(place)
    return corners


def _turn(one: Place, two: Place, three: Place) -> float:
    """Positive where three places turn against the clock."""
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])


def _ellipse(x: Row, y: Row) -> Iterator[Place]:
    for corner in range(CORNERS):
        angle = 2 * math.pi * corner / CORNERS
        yield _end(x, math.cos(angle)), _end(y, math.sin(angle))


def _end(row: Row, part: float) -> float:
    """The value and this part of the way to the end of its whisker."""
    low, high = row["interval"] or (row["value"], row["value"])
    value = float(row["value"])
    return value + part * (float(high) - value if part > 0 else value - float(low))
