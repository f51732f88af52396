"""Where images may be drawn into: not where other work has its files, which they would mix with."""

from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.run import checkpoint, run_folder


def refuse_taken(folder: Path, runs: Any) -> None:
    """Raise if this is the folder of all runs, a run's checkpoints, or a folder of shards."""
    if reason := _reason(folder, Path(str(runs))):
        raise InputError(
            f"out={folder} {reason}, where images would be in the way. "
            f"Set out=... to a folder of its own, such as {runs}/mine."
        )


def _reason(folder: Path, runs: Path) -> str:
    place = folder.absolute().resolve()
    if place == runs.absolute().resolve():
        return "is the folder of all runs"
    for each in (place, *place.parents):
        if each.name == checkpoint.FOLDER and run_folder.exists(each.parent):
            return f"is among the checkpoints of the run {each.parent.name}"
    if meta_folder(folder).is_dir() or next(folder.glob("*.tar"), None):
        return "holds shards"
    return ""
