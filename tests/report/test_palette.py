"""Series are told apart in print, on a bright and a dark page, and without red or green cones."""

import re
from itertools import combinations

import numpy as np
import pytest

from imagen_lit.report import palette
from imagen_lit.report.page import STYLE

SEEN = {  # linear RGB of a colour -> linear RGB of what is seen
    "all cones": np.eye(3),
    # Viénot, Brettel and Mollon 1999, from their projection in the space of the cones
    "no red cones (Viénot)": [
        [0.11238, 0.88762, 0],
        [0.11238, 0.88762, 0],
        [0.00401, -0.00401, 1],
    ],
    "no green cones (Viénot)": [
        [0.29275, 0.70725, 0],
        [0.29275, 0.70725, 0],
        [-0.02234, 0.02234, 1],
    ],
    # Machado, Oliveira and Fernandes 2009, table 1, severity 1.0
    "no red cones (Machado)": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones (Machado)": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)  # IEC 61966-2-1


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b*, in which a distance of 2.3 is just noticeable."""
    share = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(axis=1)
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """Of WCAG 2.1."""
    dark, bright = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def colours(page: str) -> tuple[list[str], str]:
    bright, _, rest = STYLE.partition("@media")
    names = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", bright if page == "bright" else rest))
    return [names[f"c{n}"] for n in range(8)], {"#fff": "#ffffff"}.get(
        names["paper"], names["paper"]
    )


def least_distance(series: list[str], eyes: str) -> float:
    seen = [lab(np.array(SEEN[eyes]) @ linear(colour)) for colour in series]
    return min(float(np.linalg.norm(one - two)) for one, two in combinations(seen, 2))


@pytest.mark.parametrize("page", ["bright", "dark"])
@pytest.mark.parametrize("eyes", SEEN)
def test_the_colours_of_series_are_told_apart_by_all_eyes(page: str, eyes: str) -> None:
    series, _ = colours(page)
    assert least_distance(series[:4], eyes) > 25
    assert least_distance(series, eyes) > 12


def test_red_and_green_of_one_lightness_would_be_noticed() -> None:
    pair = ["#b3261e", "#4f6b00"]
    assert least_distance(pair, "all cones") > 40
    assert least_distance(pair, "no green cones (Viénot)") < 12


@pytest.mark.parametrize("page", ["bright", "dark"])
def test_every_series_stands_out_from_the_page(page: str) -> None:
    series, paper = colours(page)
    assert min(contrast(colour, paper) for colour in series) > 3  # WCAG 2.1, 1.4.11


def test_a_print_without_colours_tells_series_by_marker_dash_and_hatch() -> None:
    for part in ("colour", "marker", "dash", "hatch"):
        assert len({getattr(look, part) for look in palette.LOOKS}) == len(palette.LOOKS)


def test_a_drawing_takes_its_colours_from_the_page() -> None:
    assert palette.with_names("fill: #ffffff; stroke: #123456") == (
        "fill: var(--paper, #ffffff); stroke: #123456"
    )
