"""Shapes outside the vocabulary get no name; slightly uneven ones keep theirs."""

from collections.abc import Callable

import numpy as np
import pytest

from imagen_lit.shapes.reader import read
from imagen_lit.shapes.scene import COLOURS

Figure = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Figures in cells around the middle of the image.
NAMELESS: dict[str, Figure] = {
    "ring": lambda x, y: (np.hypot(x, y) < 3.3) & (np.hypot(x, y) > 1.8),
    "half disc": lambda x, y: (np.hypot(x, y) < 4) & (y < 0),
    "bar": lambda x, y: (abs(x) < 4) & (abs(y) < 1),
    "rectangle": lambda x, y: (abs(x) < 3) & (abs(y) < 2),
    "flat ellipse": lambda x, y: np.hypot(x / 1.8, y) < 2.6,
    "square without a corner": lambda x, y: (np.maximum(abs(x), abs(y)) < 3) & ((x < 0) | (y > 0)),
    "triangle on its tip": lambda x, y: (y < 2) & (y > -2.5) & (abs(x) < (2 - y) / 2),
    "letter x": lambda x, y: (np.minimum(abs(x + y), abs(x - y)) < 1.4) & (np.hypot(x, y) < 4),
    "two discs in one": lambda x, y: np.minimum(np.hypot(x - 2, y), np.hypot(x + 2, y)) < 2.4,
}
UNEVEN: dict[str, tuple[str, Figure]] = {
    "wavy disc": ("circle", lambda x, y: np.hypot(x, y) < 2.8 + 0.2 * np.cos(3 * np.arctan2(y, x))),
    "rounded square": ("square", lambda x, y: (x / 2.8) ** 6 + (y / 2.8) ** 6 < 1),
    "broad disc": ("circle", lambda x, y: np.hypot(x / 1.1, y) < 2.6),
}


def draw(figure: Figure, *colours: str) -> np.ndarray:
    """A figure at 256 on light ground, in vertical stripes of the colours."""
    y, x = (np.mgrid[:256, :256] + 0.5) / 16 - 8
    image = np.full((256, 256, 3), 235, np.uint8)
    inside = figure(x, y)
    for side, colour in enumerate(colours):
        image[inside & ((x > 0) == bool(side) if len(colours) > 1 else inside)] = COLOURS[colour]
    return image


@pytest.mark.parametrize("name", NAMELESS)
def test_a_foreign_shape_has_no_name(name: str) -> None:
    (o,) = read(draw(NAMELESS[name], "green"))["objects"]
    assert o["shape"] is None and o["colour"] == "green"


@pytest.mark.parametrize("name", UNEVEN)
def test_an_uneven_shape_keeps_its_name(name: str) -> None:
    shape, figure = UNEVEN[name]
    (o,) = read(draw(figure, "blue"))["objects"]
    assert (o["shape"], o["colour"]) == (shape, "blue")


def test_a_disc_of_two_colours_is_not_a_circle_of_one_colour() -> None:
    for pair in (("green", "blue"), ("red", "yellow"), ("purple", "pink")):
        (o,) = read(draw(lambda x, y: np.hypot(x, y) < 3, *pair))["objects"]
        assert o["colour"] is None or o["shape"] is None


def test_a_foreign_colour_has_no_name() -> None:
    y, x = (np.mgrid[:64, :64] + 0.5) / 4 - 8
    for colour in ((120, 70, 30), (20, 70, 30), (130, 130, 130)):
        image = np.full((64, 64, 3), 235, np.uint8)
        image[np.hypot(x, y) < 3] = colour
        (o,) = read(image)["objects"]
        assert o["shape"] == "circle" and o["colour"] is None, colour
