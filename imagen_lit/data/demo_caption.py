"""Captions of the demo world: a small grammar that tells a scene in several true ways.

    caption   = opening ( one | two | many | word )
    one       = ( "a" | "one" | "a single" ) [size] colour shape
    two       = "a" [size] colour shape relation "a" [size] colour shape, or its converse
    many      = ( "two" | "three" | "four" ) [size] colour shapes
    word      = 'the word "' letters '"'

What a caption says is its expectation: a scene without places, in which the sizes that remain
untold are None. Law: the expectation of a scene's caption is true of the scene.
"""

import numpy as np

from imagen_lit.data.demo_scene import CONVERSE

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
    """What one caption tells of a scene: sizes about half of the time, relations either way."""
    objects = [{name: o[name] for name in ("colour", "shape", "size")} for o in scene["objects"]]
    if scene["category"] == "count":
        objects = forget_sizes(objects, rng.random() < 0.5)
    else:
        objects = [forget_sizes([o], rng.random() < 0.5)[0] for o in objects]
    told = {"category": scene["category"], "objects": objects}
    told |= {"relation": scene["relation"], "word": scene["word"] and scene["word"]["text"]}
    if told["relation"] is not None and rng.random() < 0.5:
        told |= {"objects": objects[::-1], "relation": CONVERSE[told["relation"]]}
    return told


def forget_sizes(objects: list[dict], forget: bool) -> list[dict]:
    """The objects, without their sizes where these are to be forgotten."""
    return [o | {"size": None} if forget else o for o in objects]


def phrase(rng: np.random.Generator, told: dict) -> str:
    """One wording of an expectation."""
    objects, count = told["objects"], len(told["objects"])
    opening = OPENINGS[rng.integers(len(OPENINGS))]
    if told["category"] == "word":
        return f'{opening}the word "{told["word"]}"'
    if told["category"] == "count":
        opening = "there are " if opening == "there is " else opening
        return opening + describe(NUMBERS[count], objects[0]) + plural(objects[0]["shape"])
    if told["category"] == "one":
        return opening + describe(SINGLE[rng.integers(len(SINGLE))], objects[0])
    relation = WORDINGS[told["relation"]][rng.integers(2)]
    return f"{opening}{describe('a', objects[0])} {relation} {describe('a', objects[1])}"


def describe(determiner: str, kind: dict) -> str:
    """Determiner, size if told, colour and shape."""
    first = kind["size"] or kind["colour"]
    article = "an" if determiner == "a" and first[0] in "aeiou" else determiner
    words = (article, kind["size"], kind["colour"], kind["shape"])
    return " ".join(word for word in words if word)


def plural(shape: str) -> str:
    """The ending of several shapes."""
    return "es" if shape.endswith("s") else "s"
