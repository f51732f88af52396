"""Prompts with a shape that the shapes world does not have, and the judge of their images."""

from typing import Any

import numpy as np
from lightning import LightningDataModule

from imagen_lit.basics import arguments
from imagen_lit.data.prompts import prompt_list
from imagen_lit.evaluation.confidence_interval import summary
from imagen_lit.shapes import new_shape


class NewShapePrompts:
    """`count` prompts that call the new shape `word`: alone, and in relations that none of its
    pictures shows, by turns. The same ones for the same seed, whatever the word."""

    def __init__(self, count: int, word: str, seed: int = 0, seeds_per_prompt: int = 1) -> None:
        arguments.whole_number("prompts.count", count, 1)
        arguments.whole_number("prompts.seed", seed, 0)
        draws = arguments.whole_number("prompts.seeds_per_prompt", seeds_per_prompt, 1)
        new_shape.refuse_known_word(word)
        self.questions = prompt_list.repeat(new_shape.prompts(count, seed, word), draws)
        self.prompts: list[str] = [question["prompt"] for question in self.questions]
        self.categories: list[str] = [question["category"] for question in self.questions]
        self.seeds = prompt_list.seeds(count, seed, draws)

    def of(self, data: LightningDataModule) -> "NewShapePrompts":
        """The same for all data: who asks for the new shape knows whether it was learnt."""
        return self

    def judge(self, number: int, image: np.ndarray) -> dict[str, Any]:
        """Which properties of prompt `number` an image shows, uint8 [H, W, 3], with prompt and
        category."""
        question = self.questions[number]
        matches = new_shape.matches(image, question["expectation"])
        return {"prompt": question["prompt"], "category": question["category"], "matches": matches}

    def score(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Results gathered by category, with intervals."""
        rows = summary((r["category"], r["prompt"], r["matches"]) for r in results)
        names = (*new_shape.CATEGORIES, "all")
        return {category: rows[category] for category in names if category in rows}
