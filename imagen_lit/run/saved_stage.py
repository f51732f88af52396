"""A trained stage on disk, in whichever of three forms a folder has it: a run's, as `train` leaves
it; what `export` writes; or a stage of DeepFloyd IF as diffusers saves it.

Each answers the same questions: what it is (`settings`, the config nodes of its denoiser and its
condition, and its size), which weights it has (`weights`), their text encoder, and the denoiser.
"""

from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.run.deepfloyd_stage import DeepFloydStage
from imagen_lit.run.exported_stage import ExportedStage
from imagen_lit.stage.denoiser import Denoiser


class TrainedRun:
    """A run's folder (imagen_lit/run/run_folder.py)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def require(self, name: str, images: int | None) -> None:
        """Raise if the run, or the checkpoint of it that was chosen, is not there."""
        if not run_folder.exists(self.folder):
            raise InputError(
                f"there is no run in {self.folder}, with which stage {name!r} draws. Train that "
                "stage first (make demo trains the demo's; docs/deepfloyd_if.md says how published "
                f"weights get there), or name the folder of another run with cascade.{name}.run=..."
            )
        there = [checkpoint.images(file) for file in checkpoint.saved(self.folder)]
        if images is not None and images not in there:
            listed = ", ".join(map(str, there)) or "none yet"
            raise InputError(
                f"cascade.{name}.images={images}: the run {self.folder} has no checkpoint after so "
                f"many images. It has: {listed}. Set one of them, or cascade.{name}.images="
                "null for the newest."
            )

    def settings(self) -> dict[str, Any]:
        """Of its config.yaml."""
        there = run_folder.read_settings(self.folder)
        stage = there["stage"]
        return {
            "denoiser": stage["denoiser"],
            "condition": stage["condition"],
            "size": there["data"]["size"],
        }

    def size(self) -> int:
        """The edge of the images that it draws: the full image's, whatever the crop."""
        size: int = run_folder.read_config(self.folder).data.size
        return size

    def condition(self) -> Any:
        """What it was trained to draw from."""
        return run_folder.build(self.folder, "stage.condition")

    def denoiser(self, images: int | None) -> Denoiser:
        """The EMA of its weights, the newest or that after so many images."""
        return run_folder.load_ema(self.folder, images)

    def weights(self, images: int | None) -> dict[str, Any]:
        """Which weights it draws with, in facts."""
        return run_folder.weights(self.folder, images)

    def text_difference(self, fingerprint: dict[str, str]) -> str:
        """How its text encoder differs from this one; empty if it does not."""
        return run_folder.text_difference(self.folder, fingerprint)

    def text(self) -> dict[str, Any] | None:
        """The config node of its text encoder."""
        there: dict[str, Any] | None = run_folder.read_settings(self.folder).get("text")
        return there

    def text_fingerprint(self) -> dict[str, str] | None:
        """Its fingerprint."""
        return run_folder.recorded_text(self.folder)


SavedStage = TrainedRun | ExportedStage | DeepFloydStage


def of(folder: Path) -> SavedStage:
    """The stage in a folder; of a folder that holds none, the run that is missing there."""
    if ExportedStage.is_in(folder):
        return ExportedStage(folder)
    return DeepFloydStage(folder) if DeepFloydStage.is_in(folder) else TrainedRun(folder)
