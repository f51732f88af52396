"""Held-out prompts of the shapes world, which training never showed, and the judge of their
images."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning import LightningDataModule

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.data.loader import Data
from imagen_lit.data.prompts import prompt_list
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.evaluation.confidence_interval import summary
from imagen_lit.shapes import prompts, reader, world


class HeldOutPrompts:
    """`count` held-out prompts, balanced over the categories; the same ones for the same seed. Each
    is drawn from `seeds_per_prompt` seeds, as those of a file are (`prompt_list`)."""

    def __init__(self, count: int, seed: int = 0, seeds_per_prompt: int = 1) -> None:
        arguments.whole_number("prompts.count", count, 1)
        arguments.whole_number("prompts.seed", seed, 0)  # within 64 bits, as noise needs it
        draws = arguments.whole_number("prompts.seeds_per_prompt", seeds_per_prompt, 1)
        self.questions = prompt_list.repeat(prompts.held_out_prompts(count, seed), draws)
        self.prompts: list[str] = [question["prompt"] for question in self.questions]
        self.categories: list[str] = [question["category"] for question in self.questions]
        self.seeds = prompt_list.seeds(count, seed, draws)

    def of(self, data: LightningDataModule) -> "HeldOutPrompts":
        """Refused beside other data than the shapes world: no image of theirs could be right.
        Data that are not here any more, such as those of an old run, are not looked at."""
        if isinstance(data, Data):
            folder = data.specs[0].shards
            is_here = any(Path(folder).glob("*.tar"))
            is_known = not is_here or _is_shapes_world(Collection(folder))
        else:
            folder, is_known = "this stream of shards", False
        if not is_known:
            raise InputError(
                f"data/prompts=shapes asks for the shapes world, but {folder} holds other images, "
                "all of which its reader would call wrong. Set data/prompts=captions for the "
                "captions held back from training, or data/prompts=file prompts.path=<a text file>."
            )
        return self

    def judge(self, number: int, image: np.ndarray) -> dict[str, Any]:
        """Which properties of prompt `number` an image shows, uint8 [H, W, 3], with prompt and
        category."""
        question = self.questions[number]
        matches = reader.matches(reader.read(image), question["expectation"])
        return {"prompt": question["prompt"], "category": question["category"], "matches": matches}

    def score(self, results: list[dict[str, Any]]) -> dict[str, Any]:
        """Results gathered by category, with intervals."""
        rows = summary((r["category"], r["prompt"], r["matches"]) for r in results)
        return {category: rows[category] for category in (*prompts.MIX, "all") if category in rows}


def _is_shapes_world(shards: Collection) -> bool:
    """By its first sample, whose metadata are a scene."""
    first = next((number for number, count in enumerate(shards.counts) if count), None)
    return first is not None and world.is_scene(shards.open(first).metadata(0))
