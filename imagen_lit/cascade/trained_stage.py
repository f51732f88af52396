"""A trained stage and how to draw with it: a folder, a checkpoint, a recipe, the wording of its
prompt, and what its guidance leads away from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from imagen_lit.cascade.guide import Guide
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.run import saved_stage
from imagen_lit.run.saved_stage import SavedStage
from imagen_lit.stage.condition import Condition, TextAndLowRes, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.edit import NO_EDIT, Edit
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.reference import Reference
from imagen_lit.stage.seed import Seed


@dataclass
class TrainedStage:
    """A run and how to draw with it: with its newest checkpoint, or the one after `images`, from
    the prompt as `prompt` words it; led away from the text `negative`, as `guide` reads it."""

    run: str
    recipe: Recipe
    images: int | None = None
    prompt: str = PROMPT
    negative: str | None = None
    guide: Guide = field(default_factory=Guide)

    @property
    def saved(self) -> SavedStage:
        """What is in its folder."""
        return saved_stage.of(Path(self.run))

    @cached_property
    def denoiser(self) -> Denoiser:
        """The EMA of its weights, loaded on first use."""
        return self.saved.denoiser(self.images)

    @cached_property
    def guiding(self) -> Denoiser | None:
        """The other network that guides it, if one does; loaded on first use."""
        return self.guide.load(self.run)

    @property
    def denoisers(self) -> list[Denoiser]:
        """Those that draw together."""
        return [self.denoiser, *([self.guiding] if self.guiding else [])]

    @cached_property
    def _on_cpu(self) -> list[dict[str, Tensor]]:
        return [each.state_dict() for each in self.denoisers]

    def place(self, device: torch.device) -> None:
        """Copy the weights to the device that draws; the CPU keeps its own."""
        if device.type != "cpu":
            self._on_cpu  # noqa: B018
            for each in self.denoisers:
                each.to(device)

    def release(self) -> None:
        """Free the device: the denoisers have the CPU's weights again."""
        if "_on_cpu" in self.__dict__:
            for each, weights in zip(self.denoisers, self._on_cpu, strict=True):
                each.load_state_dict(weights, assign=True)

    @cached_property
    def condition(self) -> TextOnly | TextAndLowRes:
        """What it was trained to draw from; known before its weights are loaded."""
        known: TextOnly | TextAndLowRes = self.saved.condition()
        return known

    @cached_property
    def size(self) -> int:
        """The edge of the images it draws: the full image's, whatever the crop in training."""
        return self.saved.size()

    @property
    def size_in(self) -> int | None:
        """The edge of the images that it enlarges, if it does."""
        return (
            self.size // self.condition.factor
            if isinstance(self.condition, TextAndLowRes)
            else None
        )

    def draw(
        self,
        condition: Condition,
        lowres: Tensor | None,
        seeds: Sequence[Seed],
        each_step: Callable[[int], None] = lambda number: None,
        each_estimate: Callable[[Tensor], None] = lambda x: None,
        edit: Edit = NO_EDIT,
        negative: Condition | None = None,
    ) -> Tensor:
        """Images [B, 3, size, size] in [-1, 1], or on the edit's canvas, drawn on the device of the
        condition, and led away from the text `negative`."""
        self.place(condition.text.device)
        if lowres is not None:
            augmentation = self.condition.augmentation  # type: ignore[union-attr]
            small = lowres.to(condition.text.device)
            condition = self.recipe.with_lowres(condition, small, augmentation, seeds)
        reference = self._reference(condition, negative)
        size, observers = edit.size or self.size, (each_step, each_estimate)
        return self.recipe.draw(self.denoiser, condition, seeds, size, *observers, edit, reference)

    def steps(self, edit: Edit | None) -> int:
        """How many it makes."""
        steps, spacing = self.recipe.steps, self.recipe.spacing
        return edit.evaluations(self.denoiser.schedule, steps, spacing) if edit else steps

    def _reference(self, condition: Condition, negative: Condition | None) -> Reference:
        """Without a negative text, another network reads the text, and this one reads none."""
        if negative is not None:
            other = condition.with_text(negative)
        else:
            other = condition if self.guiding else condition.without_text()
        return Reference(self.guiding or self.denoiser, other)
