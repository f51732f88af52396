"""Where a run resumes: at its newest good checkpoint; what was written after it is removed."""

from pathlib import Path
from typing import Any, NamedTuple

from imagen_lit.basics.errors import InputError
from imagen_lit.run import checkpoint, lock, metrics
from imagen_lit.stage import loop_state
from imagen_lit.stage.training import Stage


class ResumePoint(NamedTuple):
    """Before the first checkpoint: None, 0, False."""

    checkpoint: Path | None
    images: int
    validation_pending: bool


def find(folder: Path) -> ResumePoint:
    """The newest checkpoint that can be read."""
    newest = checkpoint.newest_good(folder)
    if newest is None:
        return ResumePoint(None, 0, False)
    pending = checkpoint.has_pending_validation(newest)
    return ResumePoint(newest, checkpoint.images(newest), pending)


def check(point: ResumePoint, stage: Stage) -> None:
    """Refuse a checkpoint that opens, but from which this stage cannot go on."""
    if point.checkpoint is None:
        return
    checkpoint.weights(point.checkpoint, stage)
    try:
        _read_all(checkpoint.read(point.checkpoint))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"the checkpoint {point.checkpoint} is damaged or from another version "
            f"({type(error).__name__}: {error}). {checkpoint.GO_ON}"
        ) from error


def _read_all(content: dict[str, Any]) -> None:
    """Touch what resuming needs, beside the weights."""
    loop_state.after(content["loops"], 1, 1, False)
    for name in ("images_seen", "skipped", "skipped_in_a_row"):
        int(content[name])
    for optimizer in content["optimizer_states"]:
        optimizer["state"].items(), optimizer["param_groups"][0]["params"]
    str(content["pytorch-lightning_version"])


def rewind(folder: Path, point: ResumePoint) -> None:
    """Restore the folder to what it was at that point."""
    lock.check(folder)  # reading a checkpoint may have taken a long time
    checkpoint.set_aside_newer(folder, point.images)
    metrics.rewind(folder, point.images, point.validation_pending)
