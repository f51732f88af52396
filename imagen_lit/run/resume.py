"""Where a run resumes: at its newest good checkpoint; what was written after it is removed."""

from pathlib import Path
from typing import NamedTuple

from imagen_lit.run import checkpoint, lock, metrics


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


def rewind(folder: Path, point: ResumePoint) -> None:
    """Restore the folder to what it was at that point."""
    lock.check(folder)  # reading a checkpoint may have taken a long time
    checkpoint.set_aside_newer(folder, point.images)
    metrics.rewind(folder, point.images, point.validation_pending)
