"""Trained stages in a row: a caption becomes a small image, and each further stage enlarges it.

A cascade is just an ordered list. A trained stage is a folder and a recipe: a run's folder, or one
of the other forms of imagen_lit/run/saved_stage.py. An image depends only on its text and its seed.
What a stage hands on is rounded to whole grey levels, as a file would hold it, so that a cascade
may stop after any stage and go on from its files.

On an accelerator the weights of one stage at a time are there: those of the others wait in the
CPU's memory, from which each stage is copied when its turn comes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import level_limit, pictures, prompt_template, saved_cascade
from imagen_lit.cascade.picture_edit import PictureEdit
from imagen_lit.cascade.saved_images import SavedImages
from imagen_lit.cascade.start import Start
from imagen_lit.cascade.trained_stage import TrainedStage
from imagen_lit.stage.condition import Condition, TextAndLowRes
from imagen_lit.stage.edit import NO_EDIT, Edit
from imagen_lit.stage.null_text import Encoded
from imagen_lit.stage.seed import Seed
from imagen_lit.text.between_prompts import Place
from imagen_lit.text.text_encoder import TextEncoder

NO_OTHERS: Mapping[str, Condition] = {}
NO_EDITS: Mapping[str, Edit] = {}


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
        self.compiler: str | None = None  # of the networks' blocks, from `load_weights` on
        self.encoder: TextEncoder | None = None  # where it was loaded with one
        self.start: Start | SavedImages | None = None  # where the first stage enlarges
        self.edit: PictureEdit | None = None  # of a picture, where one is drawn from
        self.places: Mapping[str, Place] = {}  # prompts by their names that lie between two others

    @property
    def runs(self) -> dict[str, Path]:
        """The run folder of each stage."""
        return {name: Path(stage.run) for name, stage in self.stages.items()}

    @property
    def weights(self) -> dict[str, dict[str, Any]]:
        """Which weights each stage draws with, in facts."""
        return {
            name: stage.saved.weights(stage.images) | stage.guide.weights(stage.run)
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

    @classmethod
    def load(
        cls, source: Any, *settings: str, device: str = "auto", precision: str = "32-true"
    ) -> "Cascade":
        """A cascade that is called with a prompt (docs/python_api.md): that of a folder which
        `export` wrote, or of an option of conf/cascade with its runs, with `settings` as they are
        typed to `sample`. The text encoder is the one that its stages were trained with."""
        found = saved_cascade.find(source, settings, device, precision)
        cascade = cls(**{name: TrainedStage(**each) for name, each in found.stages.items()})
        cascade.encoder, cascade.compiler = found.encoder, found.compiler
        cascade.check(found.encoder.fingerprint())
        return cascade

    def __call__(
        self, prompts: str | Sequence[str], seed: int = 0, images: int = 1, batch: int = 32
    ) -> Any:
        """The PIL image of a prompt; of several prompts, or `images` of each with the next seeds, a
        list in the order of `sample`, whose bits these are."""
        if self.encoder is None:
            raise InputError(
                "this cascade has no text encoder of its own. Call what Cascade.load gives, or "
                "draw with python -m imagen_lit.sample."
            )
        return pictures.of(self, self.encoder, prompts, seed, images, batch)

    def load_weights(self) -> None:
        """Load all weights: a stage that cannot draw is refused before anything is written."""
        for stage in self.stages.values():
            for denoiser in stage.denoisers:
                if self.compiler is not None:
                    denoiser.compile_blocks(self.compiler)

    def require_runs(self) -> None:
        """Refuse a stage whose run, or the checkpoint of it that was chosen, is not there."""
        for name, stage in self.stages.items():
            stage.saved.require(name, stage.images)
            stage.guide.refuse_missing(name, stage.run)

    def give_empty_caption(self, encoder: TextEncoder) -> None:
        """To the stages that read it where there is no text, and whose weights do not have it."""
        for stage in self.stages.values():
            null_text = stage.denoiser.null_text
            if isinstance(null_text, Encoded) and null_text.is_empty:
                vectors, mask = encoder.encode([""])
                null_text.give(vectors[0][mask[0]].cpu())

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
                hint = ", or start from images: start_from=..., or evaluate image_set@start=shards"
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
            difference = stage.saved.text_difference(fingerprint)
            if difference:
                raise InputError(
                    f"stage {name!r} ({stage.run}) was trained with another text encoder "
                    f"({difference}). Set text=... as it was trained."
                )
            stage.guide.refuse_other_kind(name, stage.run, fingerprint)
            if stage.guide.is_chosen:
                own = stage.saved.weights(stage.images)
                stage.guide.refuse_itself(name, stage.run, own, stage.negative)
        if isinstance(self.start, SavedImages):
            self.start.refuse_other_text(fingerprint)
