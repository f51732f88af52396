"""The shapes world: an endless seeded supply of scenes, each a pure function of (seed, number)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import caption, scene
from imagen_lit.shapes.held_out import TRAINING, WORDS

CATEGORIES = ("one", "two", "count", "word")
TRAINING_MIX = {"one": 0.35, "two": 0.4, "count": 0.17, "word": 0.08}


def is_scene(description: Mapping[str, Any]) -> bool:
    """Whether a sample's metadata describe a scene of this world."""
    names = {"category", "objects", "relation", "word", "background"}
    return names <= set(description) and description["category"] in CATEGORIES


def draw_category(rng: np.random.Generator, mix: Mapping[str, float]) -> str:
    """One category, as often as the mix says."""
    shares = np.array(list(mix.values()), dtype=np.float64)
    return list(mix)[rng.choice(len(shares), p=shares / shares.sum())]


def draw_scene(
    rng: np.random.Generator,
    category: str,
    kinds: Mapping[str, list[tuple[str, str]]],
    words: list[str],
) -> dict:
    """A scene of one category, from the kinds allowed at each place and the words allowed."""

    def pick(options: list) -> Any:
        return options[rng.integers(len(options))]

    drawn: dict[str, Any] = {"category": category, "objects": [], "relation": None, "word": None}
    size = pick(["small", "large"])
    if category == "one":
        drawn["objects"] = scene.place_one(rng, pick(kinds["alone"]), size)
    elif category == "two":
        relation = drawn["relation"] = pick(list(scene.RELATIONS))
        first = pick(kinds[relation])
        others = [kind for kind in kinds[scene.CONVERSE[relation]] if kind != first]
        pair, sizes = [first, pick(others)], [size, pick(["small", "large"])]
        drawn["objects"] = scene.place_two(rng, pair, sizes, relation)
    elif category == "count":
        count = pick([2, 3, 4])
        size = size if count == 2 else "small"  # three large ones would not fit
        drawn["objects"] = scene.place_many(rng, pick(kinds["many"]), size, count)
    elif category == "word":
        drawn["word"] = scene.place_word(rng, pick(words))
    else:
        raise InputError(
            f"category {category!r} does not exist. Choose from {', '.join(CATEGORIES)}."
        )
    return drawn | {"background": scene.background(rng)}


def training_scene(seed: int, number: int, mix: Mapping[str, float]) -> tuple[dict, str]:
    """A scene and its caption, with nothing held out in it."""
    rng = np.random.default_rng([seed, number])
    drawn = draw_scene(rng, draw_category(rng, mix), TRAINING, WORDS)
    return drawn, caption.phrase(rng, caption.expectation(rng, drawn))
