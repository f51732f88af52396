"""How many sampling steps a second a stage makes: a step is that of its recipe, with guidance and
threshold, so mostly two network calls."""

from dataclasses import replace

import torch

from imagen_lit.measurement import stopwatch
from imagen_lit.measurement.made_batch import made_batch
from imagen_lit.stage.condition import Condition, TextAndLowRes
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.training import Stage

LONGEST = 20.0  # seconds that one measurement may take, as far as its first step tells
MOST = 24  # steps


def steps_per_second(
    stage: Stage, recipe: Recipe, images: int, size: int, text_width: int, device: torch.device
) -> float | None:
    """Of so many images at once; None where two steps would take too long."""
    seeds = [*range(images)]
    condition = made_condition(stage, recipe, images, size, text_width, device)

    def draw(steps: int) -> float:
        few = replace(recipe, steps=steps)
        return stopwatch.seconds(lambda: few.draw(stage.ema, condition, seeds, size), device)

    first = draw(1)
    if first > LONGEST / 3:
        return None
    steps = min(MOST, max(2, int(LONGEST / 4 / first)))
    return steps / draw(steps)


def made_condition(
    stage: Stage, recipe: Recipe, images: int, size: int, text_width: int, device: torch.device
) -> Condition:
    """Random text, and a random smaller image for a stage that enlarges one."""
    batch = made_batch(images, size, text_width, device)
    condition = Condition(batch["text"], batch["mask"])
    if not isinstance(stage.condition, TextAndLowRes):
        return condition
    edge = size // stage.condition.factor
    lowres = batch["image"][..., :edge, :edge]
    return recipe.with_lowres(condition, lowres, stage.condition.augmentation, [*range(images)])
