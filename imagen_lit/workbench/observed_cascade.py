"""A cascade that somebody watches while it draws, with the same pixels as when nobody does
(tests/workbench/test_observed_cascade.py)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from torch import Tensor

from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.trained_stage import TrainedStage
from imagen_lit.network import text_weights
from imagen_lit.stage.guidance_norm import ObservedGuidance
from imagen_lit.workbench.drawing import Drawing


class ObservedCascade(Cascade):
    """Stages of a cascade that was loaded already, whose recipes tell the drawing what happens.
    `looks`: also where the attention looks, which costs a softmax more in each layer."""

    def __init__(
        self,
        stages: Mapping[str, TrainedStage],
        drawing: Drawing,
        looks: bool = False,
    ) -> None:
        super().__init__(**stages)
        self.drawing, self.looks = drawing, looks
        for stage in self.stages.values():
            guidance = ObservedGuidance(stage.recipe.guidance, drawing.norm)
            stage.recipe = replace(stage.recipe, guidance=guidance)

    def draw(  # all that a Cascade takes
        self,
        condition: Any,
        seeds: Any,
        each_step: Callable[[str, int], None] = lambda stage, number: None,
        each_estimate: Callable[[str, Tensor], None] = lambda stage, x: None,
        *more: Any,
        **named: Any,
    ) -> Iterator[tuple[str, Tensor]]:
        """As a Cascade does."""

        def estimate(stage: str, x: Tensor) -> None:
            each_estimate(stage, x)
            self.drawing.estimate(stage, x)

        draw: Any = super().draw
        with ExitStack() as stack:
            for stage in self.stages.values() if self.looks else ():
                observed = text_weights.observed(stage.denoiser.network, self.drawing.weights)
                stack.enter_context(observed)
            for name, images in draw(condition, seeds, each_step, estimate, *more, **named):
                self.drawing.image(name, images)
                yield name, images
