"""The demo world: an endless seeded source of pictures with captions and ground truth.

Every scene is a pure function of (seed, number). Each object stands in a *place*: alone, above,
below, left, right (of the other one of a pair) or many (one of a group). At each place four of the
forty kinds (colour and shape) are held out: no training scene contains them there, however it is
worded, while each of these kinds occurs at every other place. Eight words are held out too, whose
letters all occur in the same slot of some training word.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from imagen_lit.data import demo_caption
from imagen_lit.data import demo_scene as scenery

PLACES = ("alone", "above", "below", "left", "right", "many")
KINDS = [(colour, shape) for colour in scenery.COLOURS for shape in scenery.SHAPES]
WORDS = "cat bed hut sun pig map bus hat pen cup mud bag net dog fox top".split()
HELD_OUT_WORDS = "bat cap hen mug pan cot bun den".split()

TRAINING_MIX = {"one": 0.35, "two": 0.4, "count": 0.17, "word": 0.08}
PROMPT_MIX = {"one": 0.3, "two": 0.4, "count": 0.2, "word": 0.1}


def held_out_kinds(place: str) -> list[tuple[str, str]]:
    """The four kinds that never stand in this place: colour 2 j + p mod 8, shape j - p mod 5."""
    p, colours, shapes = PLACES.index(place), list(scenery.COLOURS), list(scenery.SHAPES)
    return [(colours[(2 * j + p) % 8], shapes[(j - p) % 5]) for j in range(4)]


HELD_OUT = {place: held_out_kinds(place) for place in PLACES}
SEEN = {place: [kind for kind in KINDS if kind not in HELD_OUT[place]] for place in PLACES}


def triples(told: dict) -> list[tuple[str, str, str]]:
    """(colour, shape, place) of every object of a scene, or of an expectation."""
    objects, relation = told["objects"], told["relation"]
    if relation is not None:
        places = [relation, scenery.CONVERSE[relation]]
    else:
        places = ["alone" if len(objects) == 1 else "many"] * len(objects)
    return [(o["colour"], o["shape"], place) for o, place in zip(objects, places, strict=True)]


def is_held_out(told: dict) -> bool:
    """Whether a scene or an expectation shows something that training never does."""
    return told["word"] in HELD_OUT_WORDS or any(
        (colour, shape) in HELD_OUT[place] for colour, shape, place in triples(told)
    )


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

    scene: dict[str, Any] = {"category": category, "objects": [], "relation": None, "word": None}
    size = pick(["small", "large"])
    if category == "one":
        scene["objects"] = scenery.place_one(rng, pick(kinds["alone"]), size)
    elif category == "two":
        relation = scene["relation"] = pick(list(scenery.RELATIONS))
        first = pick(kinds[relation])
        others = [kind for kind in kinds[scenery.CONVERSE[relation]] if kind != first]
        pair, sizes = [first, pick(others)], [size, pick(["small", "large"])]
        scene["objects"] = scenery.place_two(rng, pair, sizes, relation)
    elif category == "count":
        count = pick([2, 3, 4])
        size = size if count == 2 else "small"  # three large ones would not fit
        scene["objects"] = scenery.place_many(rng, pick(kinds["many"]), size, count)
    elif category == "word":
        scene["word"] = scenery.place_word(rng, pick(words))
    else:
        raise ValueError(f"found category {category!r}: expected one of {', '.join(PROMPT_MIX)}")
    return scene | {"background": scenery.background(rng)}


class Demo:
    """The training source: `count` scenes at `size` pixels, with nothing held out among them."""

    def __init__(
        self, count: int, size: int, seed: int, mix: Mapping[str, float] = TRAINING_MIX
    ) -> None:
        self.count, self.size, self.seed, self.mix = count, size, seed, dict(mix)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict:
        """The sample `{key, image, extension, caption, known}`; the image is JPEG bytes."""
        scene, caption = self.tell(number)
        picture = Image.fromarray(scenery.render(scene, self.size))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=95, subsampling=0)
        return {
            "key": f"{number:08d}",
            "image": file.getvalue(),
            "extension": "jpg",
            "caption": caption,
            "known": scene,
        }

    def state(self) -> None:
        """Its scenes never change: they follow from the config alone."""

    def tell(self, number: int) -> tuple[dict, str]:
        """The scene of a number and its caption, without drawing it."""
        if not 0 <= number < self.count:
            raise IndexError(f"found scene number {number}: expected 0 to {self.count - 1}")
        rng = np.random.default_rng([self.seed, number])
        scene = draw_scene(rng, draw_category(rng, self.mix), SEEN, WORDS)
        return scene, demo_caption.phrase(rng, demo_caption.expectation(rng, scene))


def held_out_prompts(count: int, seed: int) -> list[dict]:
    """Distinct prompts, each with something that training never shows; see `prompts`."""
    everything = dict.fromkeys(PLACES, KINDS)
    return prompts(count, seed, everything, HELD_OUT_WORDS, is_held_out)


def training_prompts(count: int, seed: int) -> list[dict]:
    """Distinct prompts of the kind that training shows; see `prompts`."""
    return prompts(count, seed, SEEN, WORDS, lambda told: not is_held_out(told))


def prompts(
    count: int,
    seed: int,
    kinds: Mapping[str, list[tuple[str, str]]],
    words: list[str],
    wanted: Callable[[dict], bool],
) -> list[dict]:
    """`count` distinct `{prompt, category, expectation}`, in the shares of `PROMPT_MIX`.

    The categories take turns, so that any beginning of the list is balanced as well.
    """
    rng = np.random.default_rng([seed, len(words)])
    chosen: dict[str, dict] = {}
    drawn = dict.fromkeys(PROMPT_MIX, 0)
    while len(chosen) < count:
        category = min(drawn, key=lambda name: (drawn[name] + 1) / PROMPT_MIX[name])
        for _ in range(10_000):
            told = demo_caption.expectation(rng, draw_scene(rng, category, kinds, words))
            prompt = demo_caption.phrase(rng, told)
            if wanted(told) and prompt not in chosen:
                break
        else:
            raise ValueError(
                f"found only {drawn[category]} distinct prompts of category {category!r}: "
                f"ask for fewer than {count} prompts"
            )
        chosen[prompt] = {"prompt": prompt, "category": category, "expectation": told}
        drawn[category] += 1
    return list(chosen.values())
