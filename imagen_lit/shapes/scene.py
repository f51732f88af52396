"""A scene of the shapes world: coloured shapes, or a word, on a light ground; and its image.

A scene is a plain dictionary, both the description that is rendered and the ground truth:

    category    "one", "two", "count" or "word"
    objects     list of {colour, shape, size, centre: [x, y], extent}; lengths are fractions of the
                image's edge, y points down
    relation    "above", "below", "left", "right" or None: of objects[0] to objects[1]
    word        {text, corner: [column, row]} in sixteenths of the edge, or None
    background  {level, slope: [x, y]}: a grey level with a gentle gradient, in [0, 1]

Law: a scene does not depend on the resolution. `render` integrates over each pixel, so the image
at one resolution is the box average of the image at a higher one.
"""

import math
from collections.abc import Sequence

import numpy as np

CELL = 1 / 16  # the finest detail of any scene: one pixel of the smallest image

COLOURS = {
    "red": (214, 34, 40),
    "orange": (243, 134, 12),
    "yellow": (248, 216, 30),
    "green": (40, 150, 60),
    "cyan": (50, 200, 216),
    "blue": (30, 72, 208),
    "purple": (118, 40, 160),
    "pink": (246, 118, 184),
}
INK = (34, 36, 46)

# Half width and half height of each shape, where the nominal extent is 2.
SHAPES = {
    "circle": (1.0, 1.0),
    "square": (0.9, 0.9),
    "triangle": (1.1, 0.95),
    "diamond": (1.1, 1.1),
    "cross": (1.04, 1.04),
}
# Shapes that no scene of the world has: what fine-tuning learns (imagen_lit/shapes/new_shape.py).
NEW_SHAPES = {"crescent": (1.0, 1.0)}
OUTLINES = SHAPES | NEW_SHAPES
BITE, BITE_CENTRE = 0.75, 0.55  # the disc that a crescent's disc lacks, to its right
ARM = 0.36  # half the width of the cross's arms

RELATIONS = {"above": (0, -1), "below": (0, 1), "left": (-1, 0), "right": (1, 0)}
CONVERSE = {"above": "below", "below": "above", "left": "right", "right": "left"}

# Nominal extents in cells. Between small and large there is a gap that no object falls into.
SMALL, LARGE_ALONE, LARGE_TOGETHER = (4.2, 4.8), (7.0, 8.6), (5.8, 6.1)
SIZE_BORDER = 5.3
MARGIN, GAP = 0.3, 1.3  # cells to the frame and between objects; a gap survives at 16 x 16

FONT = {
    letter: np.array([[bit == "1" for bit in row] for row in rows.split()])
    for letter, rows in {
        "a": "010 101 111 101 101",
        "b": "110 101 110 101 110",
        "c": "111 100 100 100 111",
        "d": "110 101 101 101 110",
        "e": "111 100 110 100 111",
        "f": "111 100 110 100 100",
        "g": "111 100 101 101 111",
        "h": "101 101 111 101 101",
        "i": "111 010 010 010 111",
        "m": "101 111 111 101 101",
        "n": "110 101 101 101 101",
        "o": "010 101 101 101 010",
        "p": "111 101 111 100 100",
        "s": "011 100 010 001 110",
        "t": "111 010 010 010 010",
        "u": "101 101 101 101 111",
        "x": "101 101 010 101 101",
    }.items()
}


def inside(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Depth within the shape's edge, negative outside, for a shape of nominal radius one."""
    width, height = OUTLINES[shape]
    if shape == "circle":
        return width - np.sqrt(x * x + y * y)
    if shape == "crescent":
        bite = np.sqrt((x - BITE_CENTRE) ** 2 + y * y) - BITE
        return np.minimum(width - np.sqrt(x * x + y * y), bite)
    if shape == "square":
        return width - np.maximum(np.abs(x), np.abs(y))
    if shape == "diamond":
        return (width - np.abs(x) - np.abs(y)) * math.sqrt(0.5)
    if shape == "triangle":
        flank = (width * (y + height) / 2 - height * np.abs(x)) / math.hypot(width / 2, height)
        return np.minimum(height - y, flank)
    upright = np.minimum(ARM - np.abs(x), width - np.abs(y))
    return np.maximum(upright, np.minimum(width - np.abs(x), ARM - np.abs(y)))


def coverage(
    shape: str, centre: Sequence[float] | np.ndarray, extent: float, size: int, fineness: int = 256
) -> tuple[slice, slice, np.ndarray]:
    """Rows, columns, and how much of each of their pixels is covered, in an image of `size` pixels.

    The share is integrated on a grid of at least `fineness` samples per edge.
    """
    radius = extent / 2
    half = [side * radius for side in OUTLINES[shape]]
    low = [max(0, math.floor((c - h) * size - 0.5)) for c, h in zip(centre, half, strict=True)]
    high = [min(size, math.ceil((c + h) * size + 0.5)) for c, h in zip(centre, half, strict=True)]
    parts = max(1, math.ceil(fineness / size))
    step = 1 / (size * parts)
    x, y = (
        ((np.arange(a * parts, b * parts, dtype=np.float32) + 0.5) * step - c) / radius
        for a, b, c in zip(low, high, centre, strict=True)
    )
    share = np.clip(0.5 + inside(shape, x[None, :], y[:, None]) * (radius / step), 0, 1)
    if parts > 1:
        share = share.reshape(len(y) // parts, parts, len(x) // parts, parts).mean((1, 3))
    return slice(low[1], high[1]), slice(low[0], high[0]), share


def word_share(word: dict, size: int) -> np.ndarray:
    """The share of each pixel that the word's ink covers, [size, size]."""
    cells = np.zeros((16, 16), dtype=np.float32)
    column, row = word["corner"]
    for slot, letter in enumerate(word["text"]):
        cells[row : row + 5, column + 4 * slot : column + 4 * slot + 3] = FONT[letter]
    parts = 16 // math.gcd(16, size)  # the coarsest refinement in which cells are whole samples
    fine = np.kron(cells, np.ones((size * parts // 16,) * 2, dtype=np.float32))
    return fine.reshape(size, parts, size, parts).mean((1, 3))


def render(scene: dict, size: int) -> np.ndarray:
    """The image of a scene, uint8 [size, size, 3]."""
    middle = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    (slope_x, slope_y), level = scene["background"]["slope"], scene["background"]["level"]
    ground = 255 * (level + slope_y * middle[:, None] + slope_x * middle[None, :])
    image = np.repeat(np.rint(ground).astype(np.uint8)[:, :, None], 3, axis=2)
    for o in scene["objects"]:
        rows, columns, share = coverage(o["shape"], o["centre"], o["extent"], size)
        paint(image[rows, columns], ground[rows, columns], share, COLOURS[o["colour"]])
    if scene["word"] is not None:
        paint(image, ground, word_share(scene["word"], size), INK)
    return image


def paint(
    canvas: np.ndarray, ground: np.ndarray, share: np.ndarray, colour: tuple[int, int, int]
) -> None:
    """Mix a colour into the grey ground as far as each pixel is covered; keep all other pixels."""
    for channel, value in enumerate(colour):
        mixed = np.rint(ground + share * (value - ground))
        np.copyto(canvas[..., channel], mixed, casting="unsafe", where=share > 0)


# --- placement: lengths are drawn in cells and returned as fractions of the edge ------------------


def background(rng: np.random.Generator) -> dict:
    """A light neutral ground whose brightness varies from scene to scene and within it."""
    level, *slope = (
        round(float(x), 4) for x in rng.uniform([0.86, -0.05, -0.05], [0.95, 0.05, 0.05])
    )
    return {"level": level, "slope": slope}


def make_object(kind: tuple[str, str], size: str, extent: float, centre: np.ndarray) -> dict:
    """One object of a kind (colour, shape); `extent` and `centre` are in cells."""
    x, y = (round(float(c) * CELL, 5) for c in centre)
    properties = {"colour": kind[0], "shape": kind[1], "size": size}
    return properties | {"centre": [x, y], "extent": round(float(extent) * CELL, 5)}


def draw_extent(rng: np.random.Generator, size: str, is_alone: bool) -> float:
    """A nominal extent in cells."""
    large = LARGE_ALONE if is_alone else LARGE_TOGETHER
    return rng.uniform(*(SMALL if size == "small" else large))


def place_one(rng: np.random.Generator, kind: tuple[str, str], size: str) -> list[dict]:
    """One object anywhere within the frame."""
    extent = draw_extent(rng, size, is_alone=True)
    half = np.array(OUTLINES[kind[1]]) * extent / 2
    return [make_object(kind, size, extent, rng.uniform(half + MARGIN, 16 - half - MARGIN))]


def place_two(
    rng: np.random.Generator, kinds: list[tuple[str, str]], sizes: list[str], relation: str
) -> list[dict]:
    """Two objects, the first in this relation to the second, with a slight offset sideways."""
    extents = [draw_extent(rng, size, is_alone=False) for size in sizes]
    half = np.array([OUTLINES[kind[1]] for kind in kinds]) * np.array(extents)[:, None] / 2
    direction = np.array(RELATIONS[relation])
    axis = int(np.flatnonzero(direction)[0])
    space = 16 - 2 * MARGIN - 2 * half[:, axis].sum()
    distance = half[:, axis].sum() + rng.uniform(GAP, min(space, GAP + 2.5))
    shift = direction * distance
    shift[1 - axis] = rng.uniform(-0.25, 0.25) * distance
    centres = np.array([shift, (0.0, 0.0)])
    low, high = (centres - half).min(0), (centres + half).max(0)
    centres += rng.uniform(MARGIN - low, 16 - MARGIN - high)
    return [make_object(*parts) for parts in zip(kinds, sizes, extents, centres, strict=True)]


def place_many(
    rng: np.random.Generator, kind: tuple[str, str], size: str, count: int
) -> list[dict]:
    """Several objects of one kind and size, scattered without touching."""
    extent = draw_extent(rng, size, is_alone=False)
    half = np.array(OUTLINES[kind[1]]) * extent / 2
    i, j = np.triu_indices(count, 1)
    while True:
        layouts: np.ndarray = rng.uniform(half + MARGIN, 16 - half - MARGIN, (64, count, 2))
        is_apart = (np.abs(layouts[:, i] - layouts[:, j]) >= 2 * half + GAP).any(2).all(1)
        if is_apart.any():
            layout = layouts[is_apart.argmax()]
            return [make_object(kind, size, extent, centre) for centre in layout]


def place_word(rng: np.random.Generator, text: str) -> dict:
    """A word on whole cells, so that it is crisp even at 16 x 16."""
    return {"text": text, "corner": [int(rng.integers(1, 5)), int(rng.integers(1, 11))]}
