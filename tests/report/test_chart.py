"""Charts show every number that they can, inside their box."""

import math
import re

import pytest

from imagen_lit.report import chart


def places(svg: str) -> list[tuple[float, float]]:
    points = re.findall(r'points="([^"]*)"', svg)
    pairs = [place.split(",") for each in points for place in each.split()]
    circles = re.findall(r'cx="([^"]*)" cy="([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in [*pairs, *circles]]


LINES = {
    "falling": [(n * 64.0, 1 / n) for n in range(1, 50)],
    "flat": [(1.0, 0.5), (2.0, 0.5)],
    "zero": [(10.0, 0.0)],
    "below zero": [(0.0, -3.0), (1.0, 5.0)],
    "far apart": [(1.0, 1e-29), (2.0, 1e29)],
    "not numbers": [(1.0, math.nan), (2.0, math.inf), (3.0, 1e300), (4.0, 0.5)],
    "none": [],
}


@pytest.mark.parametrize("name", LINES)
def test_every_point_lies_inside_the_chart(name: str) -> None:
    svg = chart.curves({name: LINES[name]}, "images seen", "loss")
    drawn = places(svg)
    good = [y for _, y in LINES[name] if abs(y) < chart.HUGE]
    assert len(drawn) >= len(good)
    for x, y in drawn:
        assert chart.LEFT <= x <= chart.WIDTH - chart.RIGHT
        assert chart.TOP <= y <= chart.HEIGHT - chart.BOTTOM
    assert "nan" not in svg.replace("not numbers", "")


def test_a_higher_loss_is_drawn_higher_and_later_images_further_right() -> None:
    drawn = places(chart.curves({"a": LINES["falling"]}, "x", "y"))
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert [y for _, y in drawn] == sorted(y for _, y in drawn)


def test_a_share_has_a_band_and_single_points_have_dots() -> None:
    svg = chart.shares({"all": [(320.0, 0.5, 0.25, 0.75)]}, "images seen", "exact")
    assert 'class="band c0"' in svg and svg.count("<circle") == 1


def test_a_band_lies_inside_the_chart_and_one_interval_is_a_whisker() -> None:
    points = [(1.0, 0.62, 0.56, 0.68), (2.0, 0.63, 0.58, 0.67)]
    svg = chart.curves({"": points}, "images", "kid")
    (band,) = re.findall(r'<polygon class="band c0" points="([^"]+)"', svg)
    heights = [float(each.split(",")[1]) for each in band.split()]
    assert chart.TOP <= min(heights) and max(heights) <= chart.HEIGHT - chart.BOTTOM
    assert "<polygon" in svg and svg.count('<polyline class="line') == 1
    whisker = chart.curves({"": points[:1]}, "images", "kid")
    assert whisker.count('<polyline class="line') == 2


def test_many_points_become_few_and_the_last_is_drawn() -> None:
    points = [(float(n), 2.0 + n % 2) for n in range(10_001)]
    drawn = places(chart.curves({"a": points}, "x", "y"))
    assert len(drawn) <= chart.MOST + 1
    assert drawn[-1][0] == chart.WIDTH - chart.RIGHT


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("low", [1e-9, 0.013, 0.9, 7.0])
@pytest.mark.parametrize("ratio", [1.02, 1.7, 3.5, 40.0, 1e5, 1e20])
def test_an_axis_has_a_few_round_ticks_inside_it(low: float, ratio: float, is_log: bool) -> None:
    ticks = chart.ticks(low, low * ratio, is_log)
    assert 2 <= len(ticks) <= 9
    slack = 1e-6 * low * ratio
    assert all(low - slack <= tick <= low * ratio + slack for tick in ticks)
    assert ticks == sorted(set(ticks))


def test_the_longest_number_has_room_beside_its_axis_on_a_narrow_screen() -> None:
    svg = chart.curves({"a": [(32.0, 0.917), (160.0, 0.9249)]}, "images seen", "loss")
    ends = re.findall(r'<text x="([\d.]+)"[^>]*text-anchor="end">([^<]+)<', svg)
    assert max(len(label) for _, label in ends) == 5
    assert all(float(x) >= chart.DIGIT * len(label) for x, label in ends)
    assert ">loss<" not in svg, "the figure's title says it"
