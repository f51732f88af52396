"""The run that has the weights which a picture's file names: the one of that name, or any other
below `runs`, so that a run may have moved or have another name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, run_folder
from imagen_lit.run.checkpoint_digest import checkpoint_digest


def search(file: Path, name: str, facts: Mapping[str, Any], runs: Path) -> Path:
    """The folder of the run with the weights of the stage `name` of the picture `file`."""
    named, images, digest = Path(facts["run"]), facts["images_seen"], facts["digest"]
    for folder in _with_checkpoint(named, images, runs):
        if checkpoint_digest(checkpoint.path(folder, images)) == digest:
            if run_folder.weights(folder, images)["settings"] == facts["settings"]:
                return folder
    others = checkpoint.path(named, images).exists()
    has = f"{named} has other weights after so many images" if others else "they are not there"
    raise InputError(
        f"from={file} was drawn, in {name}, by the weights {digest} of {named} after {images} "
        f"images; {has}, nor are they below runs={runs}. Set runs=... to the folder that has this "
        "run."
    )


def _with_checkpoint(named: Path, images: int, runs: Path) -> Iterator[Path]:
    """The run of this name, and then all others, if they have a checkpoint after so many images."""
    if checkpoint.path(named, images).exists():
        yield named
    for file in sorted(runs.rglob(checkpoint.path(Path(), images).name)):
        if run_folder.exists(file.parent.parent):
            yield file.parent.parent
