"""Trained stages in a row: a caption becomes a small image, and each further stage enlarges it.

A cascade is just an ordered list. A trained stage is a run folder and a recipe. An image depends
only on its text and its seed. What a stage hands on is rounded to whole grey levels, as a file
would hold it, so that a cascade may stop after any stage and go on from its files.

On an accelerator the weights of one stage at a time are there: those of the others wait in the
CPU's memory, from which each stage is copied when its turn comes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import level_limit, prompt_template
from imagen_lit.cascade.guide import Guide
from imagen_lit.cascade.picture_edit import PictureEdit
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.cascade.saved_images import SavedImages
from imagen_lit.cascade.start import Start
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.stage.condition import Condition, TextAndLowRes, TextOnly
from imagen_lit.stage.denoiser import Denoiser
from imagen_lit.stage.edit import NO_EDIT, Edit
from imagen_lit.stage.recipe import Recipe
from imagen_lit.stage.reference import Reference
from imagen_lit.stage.seed import Seed

NO_OTHERS: Mapping[str, Condition] = {}
NO_EDITS: Mapping[str, Edit] = {}


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

    @cached_property
    def denoiser(self) -> Denoiser:
        """The EMA of its weights, loaded on first use."""
        return run_folder.load_ema(Path(self.run), self.images)

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
        return run_folder.build(Path(self.run), "stage.condition")

    @cached_property
    def size(self) -> int:
        """The edge of the images it draws: the full image's, whatever the crop in training."""
        return run_folder.read_config(Path(self.run)).data.size

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


class Cascade:
    """`Cascade(base=TrainedStage(...), sr=TrainedStage(...), ...)`, in the order of drawing."""

    def __init__(self, **stages: TrainedStage) -> None:
        for name, stage in stages.items():
            if not isinstance(stage, TrainedStage):
                raise InputError(f"cascade.{name} is no stage. Leave it out with ~cascade.{name}.")
            prompt_template.refuse_unknown(f"cascade.{name}.prompt", stage.prompt)
        if not stages:
            raise InputError("the cascade has no stage left. Leave one in, or set cascade=demo.")
        self.stages = stages
        self.compiler: str | None = None  # of the networks' blocks, from `load` on
        self.start: Start | SavedImages | None = None  # where the first stage enlarges
        self.edit: PictureEdit | None = None  # of a picture, where one is drawn from

    @property
    def runs(self) -> dict[str, Path]:
        """The run folder of each stage."""
        return {name: Path(stage.run) for name, stage in self.stages.items()}

    @property
    def weights(self) -> dict[str, dict[str, Any]]:
        """Which weights each stage draws with, in facts."""
        return {
            name: run_folder.weights(Path(stage.run), stage.images) | stage.guide.weights(stage.run)
            for name, stage in self.stages.items()
        }

    @property
    def _start_size(self) -> int | None:
        """Of images that do not say themselves on which canvas they are enlarged."""
        return None if self.start is None or self.edit is not None else self.start.size

    @property
    def templates(self) -> set[str]:
        """How the stages word the prompts."""
        return {stage.prompt for stage in self.stages.values()}

    def texts(self, prompts: Sequence[str]) -> list[str]:
        """All that a text encoder reads, to draw these prompts."""
        worded = [prompt_template.fill(each, p) for each in sorted(self.templates) for p in prompts]
        return [*worded, *(stage.negative for stage in self.stages.values() if stage.negative)]

    @property
    def plan(self) -> dict[str, int]:
        """How many steps each stage makes."""
        edits = NO_EDITS if self.edit is None else self.edit.stages
        return {name: stage.steps(edits.get(name)) for name, stage in self.stages.items()}

    def draw(
        self,
        condition: Condition,
        seeds: Sequence[Seed],
        each_step: Callable[[str, int], None] = lambda stage, number: None,
        each_estimate: Callable[[str, Tensor], None] = lambda stage, x: None,
        start: Tensor | None = None,
        others: Mapping[str, Condition] = NO_OTHERS,
        edits: Mapping[str, Edit] = NO_EDITS,
        negatives: Mapping[str, Condition] = NO_OTHERS,
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (stage's name, images [B, 3, H, W]) from the smallest to the largest; `each_step`
        is called after each step of each stage, `each_estimate` with each guided clean estimate.
        `start`: the small images that the first stage enlarges, if it does; `others`: the
        conditions of those stages that draw from another text; `edits`: what stages take from
        images that are there already; `negatives`: the texts that stages are led away from."""
        images = start
        for name, stage in self.stages.items():
            for other in self.stages.values():
                if other is not stage:
                    other.release()
            observers = partial(each_step, name), partial(each_estimate, name)
            text, edit = others.get(name, condition), edits.get(name, NO_EDIT)
            images = stage.draw(text, images, seeds, *observers, edit, negatives.get(name))
            yield name, images
            images = pixels.to_signed(pixels.to_uint8(images))

    def load(self) -> None:
        """Load all weights: a stage that cannot draw is refused before anything is written."""
        for stage in self.stages.values():
            for denoiser in stage.denoisers:
                if self.compiler is not None:
                    denoiser.compile_blocks(self.compiler)

    def require_runs(self) -> None:
        """Refuse a stage whose run, or the checkpoint of it that was chosen, is not there."""
        for name, run in self.runs.items():
            if not run_folder.exists(run):
                raise InputError(
                    f"there is no run in {run}, with which stage {name!r} draws. Train that "
                    "stage first (make demo trains the demo's), or name the folder of another run "
                    f"with cascade.{name}.run=..."
                )
            there = [checkpoint.images(file) for file in checkpoint.saved(run)]
            images = self.stages[name].images
            if images is not None and images not in there:
                listed = ", ".join(map(str, there)) or "none yet"
                raise InputError(
                    f"cascade.{name}.images={images}: the run {run} has no checkpoint after so "
                    f"many images. It has: {listed}. Set one of them, or cascade.{name}.images="
                    "null for the newest."
                )
            self.stages[name].guide.refuse_missing(name, str(run))

    def check(self, fingerprint: dict[str, str]) -> None:
        """Refuse a text encoder other than the one that a stage was trained with, and stages that
        do not fit their place in the cascade."""
        self.require_runs()
        before = None
        for place, (name, stage) in enumerate(self.stages.items()):
            is_sr = isinstance(stage.condition, TextAndLowRes)
            has_smaller = place > 0 or self.start is not None
            if is_sr != has_smaller:
                kinds = ("draws from text alone", "enlarges a smaller image")
                hint = ", or start from images: start_from=... or image_set@start=shards"
                hint = hint if place == 0 and is_sr else ""
                raise InputError(
                    f"stage {name!r} ({stage.run}) {kinds[is_sr]}, but place {place + 1} of the "
                    f"cascade needs one that {kinds[has_smaller]}. Set cascade.{name}.run=... to "
                    f"the folder of such a run{hint}."
                )
            if before is not None and stage.size_in != before.size:
                raise InputError(
                    f"stage {name!r} ({stage.run}) enlarges images of {stage.size_in} x "
                    f"{stage.size_in}, and the stage before it ({before.run}) draws {before.size} "
                    f"x {before.size}. Set cascade.{name}.run=... to a run that fits."
                )
            if place == 0 and self._start_size not in (None, stage.size_in):
                raise InputError(
                    f"stage {name!r} ({stage.run}) enlarges images of {stage.size_in} x "
                    f"{stage.size_in}, and those to start from have {self._start_size} x "
                    f"{self._start_size}. Set start_at=... or start_from=... so that they fit."
                )
            before = stage
            level_limit.refuse_higher(name, stage.run, stage.recipe.aug_level, stage.condition)
            difference = run_folder.text_difference(Path(stage.run), fingerprint)
            if difference:
                raise InputError(
                    f"stage {name!r} ({stage.run}) was trained with another text encoder "
                    f"({difference}). Set text=... as it was trained."
                )
            stage.guide.refuse_other_kind(name, stage.run, fingerprint)
        if isinstance(self.start, SavedImages):
            self.start.refuse_other_text(fingerprint)
