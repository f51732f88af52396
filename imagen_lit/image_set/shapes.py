"""Fresh scenes of the shapes world, as a set to be measured against without any file: image i is a
function of (seed, i)."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.data.source.shapes import LARGEST
from imagen_lit.shapes import caption, held_out, prompts, scene, world

EXAMPLES = 16  # images that tell one version of the world from another
HELD_OUT = 1  # of the random numbers of a held-out scene, which training's never are


class TrainingScenes:
    """`count` scenes at `size` pixels with their captions, as training shows them; another `seed`
    than that of the training data, or they are its own."""

    distribution = "training"

    def __init__(self, count: int, size: int, seed: int = 1) -> None:
        self.count = arguments.whole_number("count", count, 1)
        self.size = arguments.whole_number("size", size, 16)  # below, shapes cannot be told apart
        if size > LARGEST:
            raise InputError(f"size={size} is larger than {LARGEST}. Set it to less.")
        self.seed = arguments.whole_number("seed", seed, 0)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def prompts(self) -> Sequence[str]:
        """The captions."""
        return [self.describe(number)[1] for number in range(self.count)]

    def image(self, number: int) -> np.ndarray:
        """uint8 [size, size, 3]."""
        return scene.render(self.describe(number)[0], self.size)

    def describe(self, number: int) -> tuple[dict, str]:
        """The scene with this number, and a caption of it."""
        return world.training_scene(self.seed, number, world.TRAINING_MIX)

    def facts(self) -> Mapping[str, Any]:
        """All that decides them; the digest, of the first few, changes with the world itself."""
        examples = hashlib.sha256()
        for number in range(min(EXAMPLES, self.count)):
            examples.update(self.image(number).tobytes())
            examples.update(self.describe(number)[1].encode())
        return {
            "origin": "shapes world",
            "distribution": self.distribution,
            "count": self.count,
            "size": f"{self.size}x{self.size}",
            "seed": self.seed,
            "sha256": examples.hexdigest(),
        }


class HeldOutScenes(TrainingScenes):
    """The same with something in each that training never shows, in the shares of the held-out
    prompts: what a perfect model would draw of those."""

    distribution = "held-out"

    def describe(self, number: int) -> tuple[dict, str]:
        """The scene with this number, and a caption that names what is held out."""
        rng = np.random.default_rng([self.seed, number, HELD_OUT])
        kinds = dict.fromkeys(held_out.PLACES, held_out.KINDS)
        category = world.draw_category(rng, prompts.MIX)
        while True:  # a fifth of all scenes, so this ends soon
            drawn = world.draw_scene(rng, category, kinds, held_out.HELD_OUT_WORDS)
            expectation = caption.expectation(rng, drawn)
            if held_out.is_held_out(expectation):
                return drawn, caption.phrase(rng, expectation)
