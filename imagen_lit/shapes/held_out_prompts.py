"""Held-out prompts of the shapes world, which training never showed, and the judge of their
images."""

from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.confidence_interval import summary
from imagen_lit.shapes import prompts, reader


class HeldOutPrompts:
    """`count` held-out prompts, balanced over the categories; the same ones for the same seed."""

    def __init__(self, count: int, seed: int = 0) -> None:
        if count < 1 or seed < 0:
            raise InputError(
                f"count={count} seed={seed}: at least one prompt is needed, and a seed of 0 or "
                "more. Set prompts.count=64 prompts.seed=0, for example."
            )
        self.questions = prompts.held_out_prompts(count, seed)
        self.prompts: list[str] = [question["prompt"] for question in self.questions]
        self.seeds = list(range(seed, seed + count))

    def judge(self, number: int, image: np.ndarray) -> dict[str, Any]:
        """Which properties of prompt `number` an image shows, uint8 [H, W, 3], with prompt and
        category."""
        question = self.questions[number]
        matches = reader.matches(reader.read(image), question["expectation"])
        return {"prompt": question["prompt"], "category": question["category"], "matches": matches}

    def score(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Results gathered by category, with intervals."""
        return summary((result["category"], result["matches"]) for result in results)
