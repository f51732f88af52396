"""The examination of the demo world: prompts that training never showed, and the marks for their
pictures."""

from typing import Any

import numpy as np

from imagen_lit.data import demo
from imagen_lit.evaluation import alignment
from imagen_lit.evaluation.interval import summary


class HeldOut:
    """`count` held-out prompts, balanced over the categories; the same ones for the same seed."""

    def __init__(self, count: int, seed: int = 0) -> None:
        if count < 1 or seed < 0:
            raise ValueError(
                f"HeldOut(count={count}, seed={seed}): expected at least one prompt and a seed "
                "from 0 upwards; type examiner.count=64 examiner.seed=0, for example"
            )
        self.questions = demo.held_out_prompts(count, seed)
        self.prompts: list[str] = [q["prompt"] for q in self.questions]
        self.seeds = list(range(seed, seed + count))

    def mark(self, number: int, picture: np.ndarray) -> dict[str, Any]:
        """What of prompt `number` is true of a picture, uint8 [H, W, 3], beside prompt and
        category."""
        question = self.questions[number]
        found = alignment.matches(alignment.read(picture), question["expectation"])
        return {"prompt": question["prompt"], "category": question["category"], "found": found}

    def score(self, marks: list[dict[str, Any]]) -> dict[str, Any]:
        """Marks gathered by category, with intervals."""
        return summary((mark["category"], mark["found"]) for mark in marks)
