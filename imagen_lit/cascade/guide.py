"""Another network as the reference of a stage's guidance: a smaller run, or an earlier checkpoint
of the same one (auto-guidance, Karras et al. 2024). `cascade.base.guide.images=12000` is the stage
itself after so many images.

It reads what the stage reads, or the stage's `negative`, if there is one; "" is no text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.stage.denoiser import Denoiser


@dataclass(frozen=True)
class Guide:
    """A run, the stage's own if it is None, and its checkpoint after so many images, the newest if
    that is None; if both are, there is no other network."""

    run: str | None = None
    images: int | None = None

    @property
    def is_chosen(self) -> bool:
        """Whether there is another network."""
        return (self.run, self.images) != (None, None)

    def folder(self, own: str) -> Path:
        """Of its run, for a stage whose run is `own`."""
        return Path(self.run or own)

    def weights(self, own: str) -> dict[str, Any]:
        """Facts of its weights, beside those of the stage's own; none if there is no other."""
        if not self.is_chosen:
            return {}
        folder = self.folder(own)
        return {"guide": {"run": str(folder), **run_folder.weights(folder, self.images)}}

    def load(self, own: str) -> Denoiser | None:
        """The EMA of its weights."""
        return run_folder.load_ema(self.folder(own), self.images) if self.is_chosen else None

    def refuse_missing(self, stage: str, own: str) -> None:
        """Raise if there is to be another network, and there is no such run or checkpoint."""
        if not self.is_chosen:
            return
        folder = self.folder(own)
        if not run_folder.exists(folder):
            raise InputError(
                f"there is no run in {folder}, which is to guide stage {stage!r}. Set "
                f"cascade.{stage}.guide.run=... to the folder of one."
            )
        there = [checkpoint.images(file) for file in checkpoint.saved(folder)]
        if not there or (self.images is not None and self.images not in there):
            listed = ", ".join(map(str, there)) or "none yet"
            raise InputError(
                f"cascade.{stage}.guide.images={self.images}: the run {folder} has no such "
                f"checkpoint. It has: {listed}. Set cascade.{stage}.guide.images to one of them."
            )

    def refuse_itself(
        self, stage: str, own: str, weights: Mapping[str, Any], negative: str | None
    ) -> None:
        """Raise if this other network has the weights of the stage and reads the text of the stage:
        then both estimates are one, and guidance leads nowhere."""
        guide = self.weights(own)["guide"]
        keys = ("digest", "settings")
        if negative is None and all(guide[key] == weights.get(key) for key in keys):
            raise InputError(
                f"stage {stage!r} would be guided by itself: {guide['run']} after "
                f"{guide['images_seen']} images has its very weights and reads the same text, so "
                f"guidance would lead nowhere. Set cascade.{stage}.guide.images=... to an earlier "
                f"checkpoint, cascade.{stage}.guide.run=... to another run, or "
                f"cascade.{stage}.negative=''."
            )

    def refuse_other_kind(self, stage: str, own: str, text: Mapping[str, str]) -> None:
        """Raise unless it draws what the stage draws, from the same small image, with the same text
        encoder."""
        if not self.is_chosen:
            return
        folder, settings = (
            self.folder(own),
            [run_folder.read_config(each) for each in (self.folder(own), Path(own))],
        )
        sizes = [
            (each.data.size, OmegaConf.select(each, "stage.condition.factor")) for each in settings
        ]
        if sizes[0] != sizes[1]:
            names = [
                f"images of {size}, {factor} times as large as its input"
                if factor
                else f"images of {size} from text alone"
                for size, factor in sizes
            ]
            raise InputError(
                f"{folder} cannot guide stage {stage!r}: it draws {names[0]}, and the stage draws "
                f"{names[1]}. Set cascade.{stage}.guide.run=... to a run of the same kind."
            )
        if difference := run_folder.text_difference(folder, text):
            raise InputError(
                f"{folder} cannot guide stage {stage!r}: it was trained with another text encoder "
                f"({difference}). Set cascade.{stage}.guide.run=... to one with the same."
            )
