"""The exact reader of the shapes world: what an image shows, and whether it matches a caption.

A reading is a dictionary:

    objects     list of {colour, shape, size, centre: [x, y], extent}; colour or shape is None
                if nothing in the vocabulary is close
    relation    of objects[0] to objects[1], if there are two and one axis dominates
    word        the text of a word, or None
    stray       how many cells of a 16 × 16 grid show something that is neither object nor word
    ground      whether there is a light neutral ground at all; without one nothing is read

It reads by synthesis: each patch of pixels unlike the ground is compared with all shapes rendered
at the image's own resolution, so five pixels are enough. Blur and noise raise every shape's misfit;
what fits no shape gets no name, but counts as an object, so the count is wrong.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes.scene import FONT, RELATIONS, SHAPES, word_share
from imagen_lit.shapes.shape_fit import NAMES, PALETTE, identify

MAX_EDGE = 64  # larger images are averaged down to this edge: nothing in the world is finer
MIN_SHARE = 0.45  # of full colour, at which a pixel belongs to an object
MAX_MIX_DISTANCE = 0.35  # from every mixture of ground and palette; beyond it, an object too
STRAY_DISTANCE = 0.30  # from the ground's colour, averaged over a cell, at which it is stray
MIN_CELLS = 1.5  # anything smaller is not an object, but may be stray
MAX_INK_MISFIT = 0.15  # share of the ink's energy that the best word may leave unexplained


def read(image: np.ndarray, shapes: Iterable[str] = SHAPES) -> dict:
    """Read an image: uint8, or float in [-1, 1]; [H, W, 3] or [3, H, W]; square, at least 16. Its
    objects are of these `shapes`, the world's or more (imagen_lit/shapes/new_shape.py)."""
    small = shrink(image, MAX_EDGE)
    size = len(small)
    ground = fit_ground(small)
    reading: dict[str, Any]
    reading = {"objects": [], "relation": None, "word": None, "stray": 0, "ground": True}
    if ground is None:
        return reading | {"ground": False}
    signal = small - ground
    noise = robust_variance(signal)
    ink = foreground(signal, ground)[1]
    word = find_word(ink)
    is_explained = np.zeros((size, size), dtype=bool)
    if word is not None:
        box = grow((word_share(word, size) > 0).astype(int), -(-size // 16)) > 0
        signal = np.where((box & (ink > 0))[:, :, None], 0, signal)
        reading["word"] = word["text"]
    patches = label(foreground(signal, ground)[0])
    zones = grow(patches, -(-size // 16))
    for number in np.unique(patches[patches > 0]):
        core, zone = patches == number, zones == number
        if core.sum() >= MIN_CELLS * (size / 16) ** 2:
            reading["objects"].append(identify(signal, ground, core, zone, noise, shapes))
            is_explained |= zone
    reading["objects"].sort(key=lambda o: o["centre"])
    reading["stray"] = count_stray(signal, is_explained)
    if len(reading["objects"]) == 2:
        reading["relation"] = relation(*reading["objects"])
    return reading


def shrink(image: np.ndarray, max_edge: int) -> np.ndarray:
    """The image as float32 [H, W, 3] in [0, 1], averaged down to at most `max_edge`."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[0] == 3 and image.shape[2] != 3:
        image = image.transpose(1, 2, 0)
    if image.ndim != 3 or image.shape[2] != 3 or not image.shape[0] == image.shape[1] >= 16:
        raise InputError(
            f"an image of shape {image.shape} cannot be read. "
            "Give one square colour image of at least 16 x 16."
        )
    if image.dtype != np.uint8:
        if not np.isfinite(image).all():
            raise InputError(
                "an image has infinite or undefined pixels instead of numbers in [-1, 1]. "
                "Look at the network or sampler that made it."
            )
        image = np.rint((np.clip(image, -1, 1) + 1) * 127.5).astype(np.uint8)
    if len(image) > max_edge:
        small = Image.fromarray(image).resize((max_edge, max_edge), Image.Resampling.BOX)
        image = np.asarray(small)
    return image.astype(np.float32) / 255


def fit_ground(image: np.ndarray) -> np.ndarray | None:
    """A plane through the light neutral pixels of each channel; None if they are too few."""
    size = len(image)
    y, x = (np.mgrid[:size, :size].reshape(2, -1) + 0.5) / size - 0.5
    basis = np.stack([np.ones_like(x), x, y], 1).astype(np.float32)
    pixels = image.reshape(-1, 3)
    ground: Any
    ground = np.median(pixels[pixels.min(1) > 0.7], axis=0) if (pixels.min(1) > 0.7).any() else 0
    for _ in range(3):
        near = np.linalg.norm(pixels - ground, axis=1) < 0.2
        if near.mean() < 0.25:
            return None
        ground = basis @ np.linalg.lstsq(basis[near], pixels[near], rcond=None)[0]
    if ground.min() < 0.7 or np.ptp(ground, axis=1).max() > 0.1:
        return None
    return ground.reshape(image.shape)


def robust_variance(signal: np.ndarray) -> float:
    """The variance of the noise per channel, from the median of the absolute signal."""
    return float(np.median(np.abs(signal)) / 0.6745) ** 2


def foreground(signal: np.ndarray, ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels show something other than ground, and the share of ink in every pixel."""
    strong = np.linalg.norm(signal, axis=2) > 0.2
    full = PALETTE - ground[strong][:, None, :]
    shares = np.einsum("pc,pkc->pk", signal[strong], full) / (full**2).sum(2)
    residuals = np.linalg.norm(
        signal[strong][:, None, :] - np.clip(shares, 0, 1)[:, :, None] * full, axis=2
    )
    best = residuals.argmin(1)
    share = np.take_along_axis(shares, best[:, None], 1)[:, 0]
    is_foreign, ink = np.zeros_like(strong), np.zeros(strong.shape, dtype=np.float32)
    is_foreign[strong] = (share > MIN_SHARE) | (residuals.min(1) > MAX_MIX_DISTANCE)
    ink[strong] = np.where(best == len(NAMES), np.clip(share, 0, 1), 0)
    return is_foreign, ink


def label(mask: np.ndarray) -> np.ndarray:
    """Number the 4-connected components of a mask from 1; 0 elsewhere. Numbers have gaps."""
    numbers = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = np.where(mask, neighbours(numbers), 0)
        if (spread == numbers).all():
            return numbers
        numbers = spread


def neighbours(numbers: np.ndarray) -> np.ndarray:
    """The greatest number among each pixel and its four neighbours."""
    canvas = np.pad(numbers, 1)
    sides = [canvas[:-2, 1:-1], canvas[2:, 1:-1], canvas[1:-1, :-2], canvas[1:-1, 2:]]
    return np.maximum.reduce([numbers, *sides])


def grow(patches: np.ndarray, steps: int) -> np.ndarray:
    """Let every patch take the free pixels around it, one ring per step, diagonals included."""
    zones = patches
    for _ in range(steps):
        for _ in range(2):
            zones = np.where(zones > 0, zones, neighbours(zones))
    return zones


def find_word(ink: np.ndarray) -> dict | None:
    """The word whose ink, on whole cells, explains the dark cells of the image best."""
    cells = np.asarray(Image.fromarray(ink).resize((16, 16), Image.Resampling.BOX))
    total = float((cells**2).sum())
    if total < 8:
        return None
    letters, glyphs = list(FONT), np.stack([*FONT.values()]).astype(np.float32)
    candidates = []
    for row in range(12):
        for column in range(6):
            slots = [cells[row : row + 5, column + 4 * s : column + 4 * s + 3] for s in range(3)]
            errors = np.stack([((glyphs - slot) ** 2).sum((1, 2)) for slot in slots])
            outside = total - sum(float((slot**2).sum()) for slot in slots)
            text = "".join(letters[best] for best in errors.argmin(1))
            candidates.append((outside + errors.min(1).sum(), text, [column, row]))
    misfit, text, corner = min(candidates)
    return {"text": text, "corner": corner} if misfit < MAX_INK_MISFIT * total else None


def count_stray(signal: np.ndarray, is_explained: np.ndarray) -> int:
    """How many cells, away from objects and word, differ clearly from the ground."""
    residual = np.where(is_explained[:, :, None], 0, signal).astype(np.float32)
    cells = [
        np.asarray(Image.fromarray(residual[..., c]).resize((16, 16), Image.Resampling.BOX))
        for c in range(3)
    ]
    return int((np.linalg.norm(cells, axis=0) > STRAY_DISTANCE).sum())


def relation(first: dict, second: dict) -> str | None:
    """The relation of the first to the second, if one axis clearly dominates."""
    shift = np.subtract(first["centre"], second["centre"])
    for name, direction in RELATIONS.items():
        along, across = shift @ direction, abs(shift @ direction[::-1])
        if along > 1.5 * across:
            return name
    return None


def matches(reading: dict, expectation: dict) -> dict[str, bool | None]:
    """Which parts of a caption are true of an image; None for what the caption does not mention.

    colour and shape compare the objects regardless of order, relation asks which of the two is
    where, and exact requires everything at once of the same objects. Sizes do not count in exact.
    """
    objects, expected = reading["objects"], expectation["objects"]
    word = expectation["word"]
    if isinstance(word, dict):  # a scene is its own expectation
        word = word["text"]
    order = best_order(objects, expected)
    pairs = None if order is None else list(zip(order, expected, strict=True))
    has_count = len(objects) == len(expected) and reading["stray"] == 0 and reading["ground"]
    has_word = reading["word"] == word
    answer: dict[str, bool | None]
    answer = dict.fromkeys(("colour", "shape", "size", "count", "relation", "word"))
    if expected:
        for name in ("colour", "shape"):
            answer[name] = Counter(o[name] for o in objects) == Counter(o[name] for o in expected)
    if any(e["size"] for e in expected):
        answer["size"] = pairs is not None and all(e["size"] in (None, o["size"]) for o, e in pairs)
    answer["count"] = has_count and (reading["word"] is None) == (word is None)
    if expectation["relation"] is not None:
        answer["relation"] = order is not None and relation(*order) == expectation["relation"]
    if word is not None:
        answer["word"] = has_word
    has_kinds = pairs is not None and all(
        (o["colour"], o["shape"]) == (e["colour"], e["shape"]) for o, e in pairs
    )
    answer["exact"] = bool(
        answer["count"] and has_word and has_kinds and answer["relation"] is not False
    )
    return answer


def best_order(objects: list[dict], expected: list[dict]) -> list[dict] | None:
    """The objects of an image in the caption's order; None if their number differs, or if both
    orders agree with the caption equally well."""
    if len(objects) != len(expected):
        return None
    if len(expected) != 2 or len({(e["colour"], e["shape"]) for e in expected}) == 1:
        return objects
    agreement = [
        sum(o[n] == e[n] for o, e in zip(order, expected, strict=True) for n in ("colour", "shape"))
        for order in (objects, objects[::-1])
    ]
    if agreement[0] == agreement[1]:
        return None
    return objects if agreement[0] > agreement[1] else objects[::-1]
