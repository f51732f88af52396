"""Prompts about the shapes world, each with what an image of it has to show."""

from collections.abc import Callable, Mapping

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import caption
from imagen_lit.shapes.held_out import HELD_OUT_WORDS, KINDS, PLACES, TRAINING, WORDS, is_held_out
from imagen_lit.shapes.world import draw_scene

MIX = {"one": 0.3, "two": 0.4, "count": 0.2, "word": 0.1}
ATTEMPTS = 10_000


def held_out_prompts(count: int, seed: int) -> list[dict]:
    """Distinct prompts, each with something that training never shows; see `draw`."""
    everything = dict.fromkeys(PLACES, KINDS)
    return draw(count, seed, everything, HELD_OUT_WORDS, is_held_out)


def training_prompts(count: int, seed: int) -> list[dict]:
    """Distinct prompts of the kind that training shows; see `draw`."""
    return draw(count, seed, TRAINING, WORDS, lambda expectation: not is_held_out(expectation))


def draw(
    count: int,
    seed: int,
    kinds: Mapping[str, list[tuple[str, str]]],
    words: list[str],
    is_wanted: Callable[[dict], bool],
) -> list[dict]:
    """`count` distinct `{prompt, category, expectation}`, in the shares of `MIX`.

    The categories alternate, so that any prefix of the list is balanced as well.
    """
    rng = np.random.default_rng([seed, len(words)])
    chosen: dict[str, dict] = {}
    drawn = dict.fromkeys(MIX, 0)
    while len(chosen) < count:
        category = min(drawn, key=lambda name: (drawn[name] + 1) / MIX[name])
        for _ in range(ATTEMPTS):
            expectation = caption.expectation(rng, draw_scene(rng, category, kinds, words))
            prompt = caption.phrase(rng, expectation)
            if is_wanted(expectation) and prompt not in chosen:
                break
        else:
            raise InputError(
                f"{count} prompts are too many: of category {category!r} there are only "
                f"{drawn[category]} distinct ones. Ask for fewer."
            )
        chosen[prompt] = {"prompt": prompt, "category": category, "expectation": expectation}
        drawn[category] += 1
    return list(chosen.values())
