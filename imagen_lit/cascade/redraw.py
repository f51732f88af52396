"""A picture drawn again from what its own file says: the same prompt, seed, recipes and weights, in
passes of the same shape, so that the pixels are the same.

    picture = Picture.of(file)
    cascade = picture.cascade(runs)
    image = picture.draw(cascade, encoder)

What a picture was drawn from besides, the cascade is given in between: `cascade.edit` and
`cascade.start`. What the file says is checked before anything is built of it: it may come from
anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imagen_lit.basics import device, image_format, pixels, png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import foreign_part, image_files, rounding_facts, weights_search
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.image_files import BETWEEN
from imagen_lit.cascade.picture_edit import EDIT, LATER, ORIGIN
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.cascade.rounding_facts import ROUNDING
from imagen_lit.cascade.start import START, START_OF
from imagen_lit.cli import config
from imagen_lit.stage.edit import NO_EDIT
from imagen_lit.stage.seed import Between, Seed
from imagen_lit.text.between_prompts import BetweenPrompts, Place
from imagen_lit.text.text_encoder import TextEncoder

KEYS = {"prompt", "seed", "stage", "cascade", "text"}
MORE = {EDIT, BETWEEN, START, START_OF}  # what a picture may have been drawn from besides
OBSERVED = {png_metadata.VERSIONS, image_files.THRESHOLD_HITS, ROUNDING}
PACKAGE = "imagen_lit.cascade"


@dataclass(frozen=True)
class Picture:
    """An image's file and what it says of itself."""

    file: Path
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, file: Path) -> "Picture":
        """Refused unless the file says all that decided it."""
        if not file.is_file():
            raise InputError(f"from={file}: there is no such file. Set from=... to a picture.")
        facts = png_metadata.read(file)
        if facts is None:
            raise InputError(
                f"from={file} does not say what drew it: it is no picture of imagen_lit, or one "
                "that another program wrote anew. Set from=... to one as sample left it."
            )
        if lacking := sorted(KEYS - {*facts}):
            raise InputError(
                f"from={file} is no single picture: its file has no {lacking[0]}, as that of a "
                "sheet has not. Set from=... to one of the pictures that it shows."
            )
        if more := sorted({*facts} - KEYS - MORE - OBSERVED):
            raise InputError(
                f"from={file} was not drawn from its prompt alone, and its file does not hold its "
                f"{more[0]}. Draw it again by the command that drew it."
            )
        return cls(file, facts)

    @property
    def stages(self) -> Mapping[str, Mapping[str, Any]]:
        """What it says of each stage that had a part in it."""
        stages: Mapping[str, Mapping[str, Any]] = self.facts["cascade"]
        return stages

    @property
    def seed(self) -> Seed:
        """A number, or a place on the way between two."""
        seed = self.facts["seed"]
        try:
            return seed if type(seed) is int else Between(int(seed[0]), int(seed[1]), +seed[2])
        except (LookupError, TypeError, ValueError) as error:
            raise self._damage("from which seed it was drawn") from error

    @property
    def request(self) -> tuple[str, Any]:
        """Its prompt and its seed."""
        if not isinstance(self.facts["prompt"], str):
            raise self._damage("from which prompt it was drawn")
        return self.facts["prompt"], self.seed

    @property
    def place(self) -> Place | None:
        """Where it lies between two prompts, if it does."""
        if BETWEEN not in self.facts:
            return None
        try:
            first, second = map(str, self.facts[BETWEEN]["prompts"])
            place = Place(first, second, +self.facts[BETWEEN]["share"])
        except (LookupError, TypeError, ValueError) as error:
            raise self._damage("between which prompts it lies") from error
        if place.name != self.facts["prompt"]:
            raise self._damage("between which prompts it lies")
        return place

    def cascade(self, runs: Path) -> Cascade:
        """The stages that drew it, by their weights, wherever below `runs` these are now; of an
        edited picture the later ones too, through which the given picture was made small."""
        edit = self.facts.get(EDIT, {})
        later = edit.get(ORIGIN, {}).get(LATER, {}) if isinstance(edit, dict) else {}
        stages = {**self.stages, **later}
        nodes = {name: self._node(name, stage, runs) for name, stage in stages.items()}
        cascade: Cascade = config.build({"_target_": f"{PACKAGE}.cascade.Cascade", **nodes})
        return cascade

    @torch.no_grad()
    def draw(self, cascade: Cascade, encoder: TextEncoder) -> np.ndarray:
        """The image, uint8 [H, W, 3]."""
        cascade.check(encoder.fingerprint())
        cascade.give_empty_caption(encoder)
        if (place := self.place) is not None:
            encoder = BetweenPrompts(encoder, [place])
        start = cascade.start
        small = None if start is None else start.batch([self.request])
        for name in self.stages:
            stage = partial(self._stage, cascade, name, encoder, small)
            images = rounding_facts.under(self.rounding(name), stage)
            small = pixels.to_signed(pixels.to_uint8(images[:1]))  # as a stage hands them on
        return pixels.to_array(small[0])  # type: ignore[index]

    def encoded(self, image: np.ndarray) -> bytes:
        """The content of the new picture's file, in the format of the old one."""
        observed = {png_metadata.VERSIONS, *([] if ROUNDING in self.facts else [ROUNDING])}
        known = {key: value for key, value in self.facts.items() if key not in observed}
        texts = png_metadata.texts(known, self.facts["prompt"])
        return image_format.encode(Image.fromarray(image), self.file.suffix, texts)

    def refuse_own_place(self, folder: Path) -> None:
        """Raise if the new picture would take the place of the old one."""
        if (folder / self.file.name).resolve() == self.file.resolve():
            raise InputError(
                f"out={folder} holds the picture itself. Set out=... to another folder."
            )

    def reasons(self) -> str:
        """What may be the cause, where the pixels are not the same."""
        torch_then = self.facts.get(png_metadata.VERSIONS, {}).get("torch")
        if ROUNDING not in self.facts:
            return "An earlier version drew it, and did not record its passes. Draw it anew."
        if torch_then != str(torch.__version__):
            return f"torch {torch_then} drew it, and here is {torch.__version__}. Install that one."
        return "Another processor rounds otherwise. Draw it on the kind of machine that drew it."

    def rounding(self, name: str) -> Mapping[str, Any]:
        """What decided the last bits of a stage; empty where an earlier version drew it."""
        known: Mapping[str, Any] = self.facts.get(ROUNDING, {}).get(name, {})
        return known

    def _stage(
        self, cascade: Cascade, name: str, encoder: TextEncoder, small: Tensor | None
    ) -> Tensor:
        stage, known = cascade.stages[name], self.rounding(name)
        (prompt, seed), edit = self.request, NO_EDIT
        if cascade.edit is not None:
            edit = cascade.edit.stages.get(name, NO_EDIT)
        if not known:
            shape = rounding_facts.alone(encoder, prompt, stage.prompt)
        else:
            shape = rounding_facts.shape(known, stage.prompt)
        if "tf32" in known:
            device.allow_tf32(known["tf32"])
        if "compile" in known:
            stage.denoiser.compile_blocks(known["compile"])
        condition = shape.condition(encoder, [prompt], stage.prompt)
        negative = None if stage.negative is None else shape.same_text(encoder, stage.negative)
        if small is not None:
            small = small.expand(shape.width, -1, -1, -1)
        for other in cascade.stages.values():
            if other is not stage:
                other.release()
        seeds = [seed] * shape.width
        return stage.draw(condition, small, seeds, edit=edit, negative=negative)

    def _node(self, name: str, stage: Mapping[str, Any], runs: Path) -> dict[str, Any]:
        try:
            recipe = stage["recipe"]
            foreign_part.refuse(recipe, foreign_part.RECIPE, "a recipe", f"from={self.file}")
            run = weights_search.search(self.file, name, stage, runs)
            guide = stage.get("guide")
            other = (
                {}
                if guide is None
                else {
                    "run": str(weights_search.search(self.file, f"{name}.guide", guide, runs)),
                    "images": guide["images_seen"],
                }
            )
            return {
                "_target_": f"{PACKAGE}.trained_stage.TrainedStage",
                "run": str(run),
                "images": stage["images_seen"],
                "recipe": recipe,
                "prompt": stage.get("prompt", PROMPT),
                "negative": stage.get("negative"),
                "guide": {"_target_": f"{PACKAGE}.guide.Guide", **other},
            }
        except (LookupError, TypeError, AttributeError) as error:
            raise self._damage(f"what stage {name!r} was") from error

    def _damage(self, what: str) -> InputError:
        return InputError(
            f"from={self.file} is damaged: it does not say {what}. Set from=... to another picture."
        )


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """How two images differ, in words; empty if their pixels are equal."""
    if one.shape != other.shape:
        return f"one has {one.shape[0]} rows of pixels and the other {other.shape[0]}"
    steps = np.abs(one.astype(int) - other.astype(int))
    if not steps.any():
        return ""
    return f"{steps.any(-1).mean():.2%} of its pixels differ, by {steps.max()} grey levels at most"
