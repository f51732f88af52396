"""Captions of the shapes world: a small grammar that describes a scene in several true ways.

    caption   = opening ( one | two | many | word )
    one       = ( "a" | "one" | "a single" ) [size] colour shape
    two       = "a" [size] colour shape relation "a" [size] colour shape, or its converse
    many      = ( "two" | "three" | "four" ) [size] colour shapes
    word      = 'the word "' letters '"'

What a caption says is its expectation: a scene without positions, in which a size that the caption
does not mention is None. Law: the expectation of a scene's caption is true of the scene.
"""

from typing import Any

import numpy as np

from imagen_lit.shapes.scene import CONVERSE

OPENINGS = ("", "there is ", "a picture of ", "this shows ")
SINGLE = ("a", "one", "a single")
NUMBERS = {2: "two", 3: "three", 4: "four"}
WORDINGS = {
    "above": ("above", "over"),
    "below": ("below", "under"),
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
}


def expectation(rng: np.random.Generator, scene: dict) -> dict:
    """What one caption of a scene says: half of the sizes, and relations in either direction."""
    objects = [{name: o[name] for name in ("colour", "shape", "size")} for o in scene["objects"]]
    if scene["category"] == "count":
        if rng.random() < 0.5:
            objects = [without_size(o) for o in objects]
    else:
        objects = [without_size(o) if rng.random() < 0.5 else o for o in objects]
    relation = scene["relation"]
    if relation is not None and rng.random() < 0.5:
        objects, relation = objects[::-1], CONVERSE[relation]
    content: dict[str, Any] = {"category": scene["category"], "objects": objects}
    word = None if scene["word"] is None else scene["word"]["text"]
    return content | {"relation": relation, "word": word}


def without_size(properties: dict) -> dict:
    """An object whose size the caption does not mention."""
    return properties | {"size": None}


def phrase(rng: np.random.Generator, expectation: dict) -> str:
    """One wording of an expectation."""
    objects, count = expectation["objects"], len(expectation["objects"])
    opening = OPENINGS[rng.integers(len(OPENINGS))]
    if expectation["category"] == "word":
        return f'{opening}the word "{expectation["word"]}"'
    if expectation["category"] == "count":
        opening = "there are " if opening == "there is " else opening
        return opening + describe(NUMBERS[count], objects[0]) + plural(objects[0]["shape"])
    if expectation["category"] == "one":
        return opening + describe(SINGLE[rng.integers(len(SINGLE))], objects[0])
    relation = WORDINGS[expectation["relation"]][rng.integers(2)]
    return f"{opening}{describe('a', objects[0])} {relation} {describe('a', objects[1])}"


def describe(determiner: str, properties: dict) -> str:
    """Determiner, size if mentioned, colour and shape."""
    first = properties["size"] or properties["colour"]
    article = "an" if determiner == "a" and first[0] in "aeiou" else determiner
    words = (article, properties["size"], properties["colour"], properties["shape"])
    return " ".join(word for word in words if word)


def plural(shape: str) -> str:
    """A shape's name in the plural."""
    return "es" if shape.endswith("s") else "s"
