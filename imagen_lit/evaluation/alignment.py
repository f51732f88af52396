"""The exact reader of the demo world: what a picture shows, and whether a caption says so.

A reading is a dictionary:

    objects     list of {colour, shape, size, centre: [x, y], extent}; colour or shape is None
                where nothing in the vocabulary comes near
    relation    what objects[0] is to objects[1], when there are two and one axis dominates
    word        the text of a word, or None
    stray       how many sixteenth-cells hold something that is neither object nor word
    ground      whether there is a light neutral ground at all; without it nothing is read

It reads by synthesis: each patch of foreign colour is compared with all shapes rendered at the
picture's own resolution, so that five pixels suffice. Blur and noise raise every shape's misfit;
what fits no shape stays nameless, counts as an object, and thereby spoils the count.
"""

from collections import Counter
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.data.demo_scene import FONT, RELATIONS, word_share
from imagen_lit.evaluation.patch import NAMES, PALETTE, identify

FINEST = 64  # larger pictures are averaged down to this edge: nothing in the world is finer
VIVID = 0.45  # share of full colour from which a pixel belongs to an object
ALIEN = 0.35  # distance from every mixture of ground and palette that also makes it foreign
STRAY = 0.30  # colour distance, averaged over a cell, that betrays something unexplained
SPECK = 1.5  # cells; what is smaller is no object, but may be stray
INK_MISFIT = 0.15  # share of the ink's energy that the best word may leave unexplained


def read(picture: np.ndarray) -> dict:
    """Read a picture: uint8, or float in [-1, 1]; [H, W, 3] or [3, H, W]; square, 16 and up."""
    image = at_most(FINEST, picture)
    size = len(image)
    ground = fit_ground(image)
    reading: dict[str, Any]
    reading = {"objects": [], "relation": None, "word": None, "stray": 0, "ground": True}
    if ground is None:
        return reading | {"ground": False}
    signal = image - ground
    noise = robust_variance(signal)
    ink = foreground(signal, ground)[1]
    word = find_word(ink)
    explained = np.zeros((size, size), dtype=bool)
    if word is not None:
        box = grow((word_share(word, size) > 0).astype(int), -(-size // 16)) > 0
        signal = np.where((box & (ink > 0))[:, :, None], 0, signal)
        reading["word"] = word["text"]
    patches = label(foreground(signal, ground)[0])
    zones = grow(patches, -(-size // 16))
    for number in np.unique(patches[patches > 0]):
        core, zone = patches == number, zones == number
        if core.sum() >= SPECK * (size / 16) ** 2:
            reading["objects"].append(identify(signal, ground, core, zone, noise))
            explained |= zone
    reading["objects"].sort(key=lambda o: o["centre"])
    reading["stray"] = count_stray(signal, explained)
    if len(reading["objects"]) == 2:
        reading["relation"] = relation(*reading["objects"])
    return reading


def at_most(edge: int, picture: np.ndarray) -> np.ndarray:
    """The picture as float32 [H, W, 3] in [0, 1], averaged down to at most this edge."""
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[0] == 3 and picture.shape[2] != 3:
        picture = picture.transpose(1, 2, 0)
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.shape[0] == picture.shape[1] >= 16:
        raise ValueError(
            f"found a picture of shape {picture.shape}, which cannot be read: "
            "give one square colour picture of at least 16 x 16"
        )
    if picture.dtype != np.uint8:
        if not np.isfinite(picture).all():
            raise ValueError(
                "found infinite or undefined pixels: expected numbers in [-1, 1], "
                "so look at the network or sampler that made them"
            )
        picture = np.rint((np.clip(picture, -1, 1) + 1) * 127.5).astype(np.uint8)
    if len(picture) > edge:
        picture = np.asarray(Image.fromarray(picture).resize((edge, edge), Image.Resampling.BOX))
    return picture.astype(np.float32) / 255


def fit_ground(image: np.ndarray) -> np.ndarray | None:
    """A plane through the light neutral pixels of each channel; None where they are too few."""
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
    """The variance of the noise per channel, from the quieter half of the picture."""
    return float(np.median(np.abs(signal)) / 0.6745) ** 2


def foreground(signal: np.ndarray, ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels show something else than ground, and the share of ink in every pixel."""
    strong = np.linalg.norm(signal, axis=2) > 0.2
    full = PALETTE - ground[strong][:, None, :]
    share = np.einsum("pc,pkc->pk", signal[strong], full) / (full**2).sum(2)
    rest = np.linalg.norm(
        signal[strong][:, None, :] - np.clip(share, 0, 1)[:, :, None] * full, axis=2
    )
    best = rest.argmin(1)
    most = np.take_along_axis(share, best[:, None], 1)[:, 0]
    foreign, ink = np.zeros_like(strong), np.zeros(strong.shape, dtype=np.float32)
    foreign[strong] = (most > VIVID) | (rest.min(1) > ALIEN)
    ink[strong] = np.where(best == len(NAMES), np.clip(most, 0, 1), 0)
    return foreign, ink


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
    padded = np.pad(numbers, 1)
    sides = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return np.maximum.reduce([numbers, *sides])


def grow(patches: np.ndarray, steps: int) -> np.ndarray:
    """Let every patch take the free pixels around it, one ring per step, diagonals included."""
    zones = patches
    for _ in range(steps):
        for _ in range(2):
            zones = np.where(zones > 0, zones, neighbours(zones))
    return zones


def find_word(ink: np.ndarray) -> dict | None:
    """The word whose ink, set on whole cells, explains the dark cells of the picture best."""
    cells = np.asarray(Image.fromarray(ink).resize((16, 16), Image.Resampling.BOX))
    total = float((cells**2).sum())
    if total < 8:
        return None
    letters, glyphs = list(FONT), np.stack([*FONT.values()]).astype(np.float32)
    found = []
    for row in range(12):
        for column in range(6):
            slots = [cells[row : row + 5, column + 4 * s : column + 4 * s + 3] for s in range(3)]
            errors = np.stack([((glyphs - slot) ** 2).sum((1, 2)) for slot in slots])
            outside = total - sum(float((slot**2).sum()) for slot in slots)
            text = "".join(letters[best] for best in errors.argmin(1))
            found.append((outside + errors.min(1).sum(), text, [column, row]))
    misfit, text, corner = min(found)
    return {"text": text, "corner": corner} if misfit < INK_MISFIT * total else None


def count_stray(signal: np.ndarray, explained: np.ndarray) -> int:
    """How many cells, away from objects and word, differ clearly from the ground."""
    rest = np.where(explained[:, :, None], 0, signal).astype(np.float32)
    cells = [
        np.asarray(Image.fromarray(rest[..., c]).resize((16, 16), Image.Resampling.BOX))
        for c in range(3)
    ]
    return int((np.linalg.norm(cells, axis=0) > STRAY).sum())


def relation(first: dict, second: dict) -> str | None:
    """What the first is to the second, where one axis clearly dominates."""
    shift = np.subtract(first["centre"], second["centre"])
    for name, direction in RELATIONS.items():
        along, across = shift @ direction, abs(shift @ direction[::-1])
        if along > 1.5 * across:
            return name
    return None


def matches(reading: dict, expectation: dict) -> dict[str, bool | None]:
    """What of a caption is true of a picture; None for what the caption does not speak of.

    colour and shape compare the objects regardless of order, relation asks which of the two is
    where, and exact wants all of it at once in the same objects. Sizes do not enter exact.
    """
    seen, told = reading["objects"], expectation["objects"]
    word = expectation["word"]
    if isinstance(word, dict):  # a scene is its own expectation
        word = word["text"]
    count = len(seen) == len(told) and reading["stray"] == 0 and reading["ground"]
    same_word = reading["word"] == word
    order = best_order(seen, told)
    answer: dict[str, bool | None] = {
        name: Counter(o[name] for o in seen) == Counter(o[name] for o in told) if told else None
        for name in ("colour", "shape")
    }
    answer["size"] = None
    if any(o["size"] for o in told):
        answer["size"] = order is not None and all(
            e["size"] in (None, o["size"]) for o, e in zip(order, told, strict=True)
        )
    answer["count"] = count and (reading["word"] is None) == (word is None)
    answer["relation"] = None
    if expectation["relation"] is not None:
        answer["relation"] = order is not None and relation(*order) == expectation["relation"]
    answer["word"] = same_word if word is not None else None
    named = order is not None and all(
        (o["colour"], o["shape"]) == (e["colour"], e["shape"])
        for o, e in zip(order, told, strict=True)
    )
    answer["exact"] = bool(
        answer["count"] and same_word and named and answer["relation"] is not False
    )
    return answer


def best_order(seen: list[dict], told: list[dict]) -> list[dict] | None:
    """The objects seen, in the order told; None if their number differs or it stays open."""
    if len(seen) != len(told):
        return None
    if len(told) != 2 or len({(e["colour"], e["shape"]) for e in told}) == 1:
        return seen
    agreement = [
        sum(o[n] == e[n] for o, e in zip(order, told, strict=True) for n in ("colour", "shape"))
        for order in (seen, seen[::-1])
    ]
    if agreement[0] == agreement[1]:
        return None
    return seen if agreement[0] > agreement[1] else seen[::-1]
