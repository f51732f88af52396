"""Where a run resumes: its newest good checkpoint, and what was written after it is taken back."""

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
    """Make the folder what it was at that point."""
    lock.check(folder)  # reading a checkpoint may have taken long
    checkpoint.set_aside_newer(folder, point.images)
    metrics.rewind(folder, point.images, point.validation_pending)
