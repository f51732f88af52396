"""The band of a curve that is uncertain both ways: it holds the whiskers and the lines between."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path
from scipy.spatial import ConvexHull

from imagen_lit.report import plane_band

RANDOM = np.random.default_rng(0)


def row(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "interval": [value - low, value + high]}


def some_rows(count: int) -> list[dict[str, Any]]:
    return [row(*RANDOM.uniform(0.1, 1, 3)) for _ in range(count)]


def test_a_hull_is_scipys_and_against_the_clock() -> None:
    for count in (3, 5, 40):
        places = RANDOM.normal(size=(count, 2))
        corners = plane_band.hull([(float(x), float(y)) for x, y in places])
        expected = places[ConvexHull(places).vertices]  # against the clock, from another corner
        start = [*map(tuple, expected)].index(corners[0])
        assert np.allclose(corners, np.roll(expected, -start, axis=0))


def test_places_on_a_line_leave_its_ends() -> None:
    assert plane_band.hull([(0, 0), (2, 2), (1, 1), (0, 0)]) == [(0, 0), (2, 2)]


def test_the_band_holds_every_whisker_and_the_line_between_two_points() -> None:
    xs, ys = some_rows(6), some_rows(6)
    bands = [Path(corners, closed=False) for corners in plane_band.polygons(xs, ys)]
    assert len(bands) == 5
    for band, two in zip(bands, pairwise(zip(xs, ys, strict=True)), strict=True):
        for x, y in two:
            ends = [(end, y["value"]) for end in x["interval"]]
            ends += [(x["value"], end) for end in y["interval"]]
            inside = [
                0.999 * np.array(e) + 0.001 * np.array((x["value"], y["value"])) for e in ends
            ]
            assert band.contains_points(inside, radius=1e-9).all()
        (x1, y1), (x2, y2) = ((x["value"], y["value"]) for x, y in two)
        line = [(x1 + t * (x2 - x1), y1 + t * (y2 - y1)) for t in np.linspace(0.01, 0.99, 9)]
        assert band.contains_points(line, radius=1e-9).all()


def test_where_only_y_is_uncertain_the_band_is_the_usual_one() -> None:
    xs = [{"value": x, "interval": None} for x in (0.0, 1.0)]
    (band,) = plane_band.polygons(xs, [row(1, 0.5, 0.25), row(3, 0.125, 1)])
    assert sorted(band) == pytest.approx(sorted([(0, 0.5), (0, 1.25), (1, 2.875), (1, 4)]))


def test_a_point_has_no_band_and_points_without_whiskers_one_of_no_area() -> None:
    assert plane_band.polygons(some_rows(1), some_rows(1)) == []
    bare = [{"value": float(number), "interval": None} for number in range(2)]
    assert plane_band.polygons(bare, bare) == [[(0, 0), (1, 1)]]
