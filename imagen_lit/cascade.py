"""Stages in a row: captions become a small picture, and each next stage makes it larger.

An ordered list of steps and nothing more. A step is the folder of a trained run and a recipe.
A picture depends on its text and its seed alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from imagen_lit import door, run_folder
from imagen_lit.stage.condition import Condition, TextAndLowRes, TextOnly
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage


@dataclass
class Step:
    """A trained run and how to draw with it."""

    run: str
    recipe: Recipe

    @cached_property
    def stage(self) -> Stage:
        return run_folder.load(Path(self.run))

    @cached_property
    def condition(self) -> TextOnly | TextAndLowRes:
        """What it learnt to draw from, known before its weights are read."""
        return door.build(run_folder.config(Path(self.run)).stage.condition)

    @cached_property
    def size(self) -> int:
        """The edge of the pictures it draws: the full picture's, whatever it was cropped to in
        training."""
        return run_folder.config(Path(self.run)).data.size

    def draw(self, condition: Condition, lowres: Tensor | None, seeds: Sequence[int]) -> Tensor:
        if lowres is not None:
            schedule = self.condition.schedule  # type: ignore[union-attr]
            condition = self.recipe.with_lowres(condition, lowres, schedule, seeds)
        return self.recipe.draw(self.stage.ema, condition, seeds, self.size)


class Cascade:
    """`Cascade(base=Step(...), sr=Step(...), ...)`, in the order in which they draw."""

    def __init__(self, **steps: Step) -> None:
        self.steps = steps

    def draw(self, condition: Condition, seeds: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
        """Yield (step's name, pictures [B, 3, H, W]) from the smallest to the largest."""
        picture = None
        for name, step in self.steps.items():
            picture = step.draw(condition, picture, seeds)
            yield name, picture

    def require(self, fingerprint: dict[str, str]) -> None:
        """Refuse a text encoder other than the one that a stage learnt with, and stages that cannot
        stand in this row."""
        for place, (name, step) in enumerate(self.steps.items()):
            enlarges = isinstance(step.condition, TextAndLowRes)
            if enlarges != (place > 0):
                does = ("draws from text alone", "enlarges a smaller picture")
                raise ValueError(
                    f"stage {name!r} ({step.run}) {does[enlarges]}, and place {place + 1} of the "
                    f"cascade wants one that {does[place > 0]}: type cascade.{name}.run=... with "
                    "the folder of such a run"
                )
            learnt = step.condition.up_to if enlarges else 0.0  # type: ignore[union-attr]
            if step.recipe.level > learnt:
                knows = f"learnt levels up to {learnt:g}" if enlarges else "has no smaller picture"
                raise ValueError(
                    f"stage {name!r} ({step.run}) {knows}, found level={step.recipe.level:g}: type "
                    f"cascade.{name}.recipe.level={learnt:g} or less"
                )
            differing = run_folder.text_difference(Path(step.run), fingerprint)
            if differing:
                raise ValueError(
                    f"stage {name!r} ({step.run}) learnt with another text encoder: {differing}; "
                    "sample with text=... as it was trained"
                )
