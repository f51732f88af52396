"""A picture drawn again from what its own file says: the same prompt, seed, recipes and weights, in
passes of the same shape, so that the pixels are the same.

    picture = Picture.of(file)
    cascade = picture.cascade(runs)
    image = picture.draw(cascade, encoder)

What the file says is checked before anything is built of it: it may come from anywhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
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
from imagen_lit.cascade import image_files, rounding_facts
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.prompt_template import PROMPT
from imagen_lit.cascade.rounding_facts import ROUNDING
from imagen_lit.cli import config
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.run.checkpoint_digest import checkpoint_digest
from imagen_lit.text.text_encoder import TextEncoder

KEYS = {"prompt", "seed", "stage", "cascade", "text"}
OBSERVED = {png_metadata.VERSIONS, image_files.THRESHOLD_HITS, ROUNDING}
OPEN = ("from", "runs", "out", "text", "device")  # settings that do not decide an image
PACKAGE = "imagen_lit.cascade"
RECIPES = (
    "imagen_lit.stage.recipe.Recipe",
    "imagen_lit.diffusion.",
)  # all that a recipe is made of


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
        if more := sorted({*facts} - KEYS - OBSERVED):
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

    def cascade(self, runs: Path) -> Cascade:
        """The stages that drew it, by their weights, wherever below `runs` these are now."""
        nodes = {name: self._node(name, stage, runs) for name, stage in self.stages.items()}
        cascade: Cascade = config.build({"_target_": f"{PACKAGE}.cascade.Cascade", **nodes})
        return cascade

    @torch.no_grad()
    def draw(self, cascade: Cascade, encoder: TextEncoder) -> np.ndarray:
        """The image, uint8 [H, W, 3]."""
        cascade.check(encoder.fingerprint())
        small: Tensor | None = None
        for name in cascade.stages:
            stage = partial(self._stage, cascade, name, encoder, small)
            small = rounding_facts.under(self.rounding(name), stage)
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
        prompt, seed = self.facts["prompt"], self.facts["seed"]
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
            small = pixels.to_signed(pixels.to_uint8(small[:1])).expand(shape.width, -1, -1, -1)
        for other in cascade.stages.values():
            if other is not stage:
                other.release()
        return stage.draw(condition, small, [seed] * shape.width, negative=negative)

    def _node(self, name: str, stage: Mapping[str, Any], runs: Path) -> dict[str, Any]:
        try:
            recipe = stage["recipe"]
            self._refuse_foreign(recipe)
            run = self._run(name, stage, runs)
            guide = stage.get("guide")
            other = (
                {}
                if guide is None
                else {
                    "run": str(self._run(f"{name}.guide", guide, runs)),
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
            raise InputError(
                f"from={self.file} is damaged: it does not say what stage {name!r} was. "
                "Set from=... to another picture."
            ) from error

    def _refuse_foreign(self, node: Any) -> None:
        """Raise if a recipe names anything but parts of recipes."""
        for key, value in node.items() if isinstance(node, dict) else ():
            if key == "_target_" and not str(value).startswith(RECIPES):
                raise InputError(
                    f"from={self.file} names {value}, which is no part of a recipe, and is not "
                    "built. Set from=... to a picture of your own."
                )
            self._refuse_foreign(value)

    def _run(self, name: str, facts: Mapping[str, Any], runs: Path) -> Path:
        """The folder of the run that has these weights."""
        named, images, digest = Path(facts["run"]), facts["images_seen"], facts["digest"]
        for folder in _with_checkpoint(named, images, runs):
            if checkpoint_digest(checkpoint.path(folder, images)) == digest:
                if run_folder.weights(folder, images)["settings"] == facts["settings"]:
                    return folder
        others = checkpoint.path(named, images).exists()
        has = f"{named} has other weights after so many images" if others else "they are not there"
        raise InputError(
            f"from={self.file} was drawn, in {name}, by the weights {digest} of {named} after "
            f"{images} images; {has}, nor are they below runs={runs}. Set runs=... to the folder "
            "that has this run."
        )


def refuse_other_settings(words: Sequence[str]) -> None:
    """Raise if a command line sets what the picture says itself."""
    for word in words:
        key = re.split(r"[=.]", word.lstrip("+~"))[0]
        if key not in OPEN:
            raise InputError(
                f"{word} beside from=...: a picture is drawn again as its own file says, with no "
                f"other settings than {', '.join(OPEN)}. Leave it out, or leave out from=..."
            )


def _with_checkpoint(named: Path, images: int, runs: Path) -> Iterator[Path]:
    """The run of this name, and then all others, if they have a checkpoint after so many images."""
    if checkpoint.path(named, images).exists():
        yield named
    for file in sorted(runs.rglob(checkpoint.path(Path(), images).name)):
        if run_folder.exists(file.parent.parent):
            yield file.parent.parent


def difference(one: np.ndarray, other: np.ndarray) -> str:
    """How two images differ, in words; empty if their pixels are equal."""
    if one.shape != other.shape:
        return f"one has {one.shape[0]} rows of pixels and the other {other.shape[0]}"
    steps = np.abs(one.astype(int) - other.astype(int))
    if not steps.any():
        return ""
    return f"{steps.any(-1).mean():.2%} of its pixels differ, by {steps.max()} grey levels at most"
