"""The states of a run on disk: `checkpoints/<images seen>.ckpt`, each absent or whole.

A state is written aside and renamed, so a kill or a full disk costs the newest at most. Which is
the newest *good* one is found by reading: every part of the file has a checksum. Which are kept:
the last few, and one for every so many images.
"""

import errno
import hashlib
import shutil
import warnings
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.data.aside import aside

FOLDER = "checkpoints"
# A file that could not be looked at, which says nothing of what is in it.
PASSING = (errno.EACCES, errno.EPERM, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
VALIDATION_OWED = "validation_owed"  # the key of a state saved in the middle of one


def file(run: Path, images: int) -> Path:
    """Where the state after so many images lies."""
    return Path(run) / FOLDER / f"{images:012d}.ckpt"


def saved(run: Path) -> list[Path]:
    """All states of a run, good or not, the newest last."""
    files = (Path(run) / FOLDER).glob("*.ckpt")
    return sorted(f for f in files if f.stem.isdigit())


def images(file: Path) -> int:
    return int(file.stem)


def newest_good(run: Path) -> Path | None:
    """The newest state that can be read, and a word about every newer one; None before any."""
    states = saved(run)
    for state in reversed(states):
        fault = damage(state)
        if fault is None:
            return state
        warnings.warn(
            f"the checkpoint {state} is damaged ({fault}); an older one is used", stacklevel=2
        )
    if states:
        raise ValueError(
            f"none of the {len(states)} checkpoints in {Path(run) / FOLDER} can be read: "
            "remove that folder to train from the beginning"
        )
    return None


@rank_zero_only
def put_away(run: Path, after: int) -> None:
    """Call damaged what is newer than the state a run goes on from: it counts no more as one of
    those that are kept. What killed starts left half written, on whatever host, goes."""
    for leftover in (Path(run) / FOLDER).glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    for state in saved(run):
        if images(state) > after:
            state.replace(state.with_suffix(".damaged"))


def digest(state: Path) -> str:
    """Tells one state from another, by the checksums that the file keeps of its parts."""
    with zipfile.ZipFile(state) as archive:
        parts = sorted((part.filename, part.CRC) for part in archive.infolist())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def damage(state: Path) -> str | None:
    """What is wrong with a file; None if every part of it is as it was written, and it opens."""
    try:
        with zipfile.ZipFile(state) as archive:
            part = archive.testzip()
        if part is not None:
            return f"{part} is not what was written"
        read(state)
    except MemoryError:
        raise
    except Exception as error:  # one wrong bit in a zip's directory raises any of a dozen kinds
        if isinstance(error, OSError) and error.errno in PASSING:
            raise
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return None


def read(state: Path) -> dict[str, Any]:
    """Tensors and numbers, nothing that could run."""
    return torch.load(state, map_location="cpu", weights_only=True, mmap=True)


def owes_validation(state: Path) -> bool:
    """Whoever goes on from it makes the validation that was cut short."""
    return bool(read(state).get(VALIDATION_OWED))


def write(content: dict[str, Any], state: Path) -> None:
    """In the plain order of memory, whatever a machine computes in: FSDP's way of loading hands
    on the bytes without their order."""
    try:
        with aside(state) as handle:
            torch.save(_each(content, lambda tensor: tensor.cpu().contiguous()), handle)
    except RuntimeError as error:  # torch hides why its writer stopped
        if shutil.disk_usage(state.parent).free < 2**20 or isinstance(error.__context__, OSError):
            raise OSError(28, f"No space left on device while writing {state}") from error
        raise


def prune(run: Path, last: int, every: int | None) -> None:
    """Remove all states but the `last` newest and, for every so many images, the first one."""
    states = saved(run)
    kept = set(states[-last:])
    if every is not None:
        first = {images(state) // every: state for state in reversed(states)}
        kept |= {state for number, state in first.items() if number > 0}
    for state in states:
        if state not in kept:
            state.unlink(missing_ok=True)


class Aside(CheckpointIO):
    """Lightning's way to the disk: whole files only and, if `asynchronous`, from a second thread.

    That thread writes a copy made in memory, one file after the other. What went wrong there is
    raised at the next call.
    """

    def __init__(self, asynchronous: bool = False) -> None:
        self.asynchronous = asynchronous
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        self.finish()
        if not self.asynchronous:
            write(checkpoint, Path(path))
            return
        self._thread = self._thread or ThreadPoolExecutor(max_workers=1)
        self._writing = self._thread.submit(write, _each(checkpoint, _copy), Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)

    def finish(self) -> None:
        """Wait for what is being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", copy=True)


def _each(node: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same dictionaries and lists, with each tensor changed."""
    if isinstance(node, torch.Tensor):
        return change(node)
    if isinstance(node, dict):
        return {key: _each(value, change) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        return type(node)(_each(value, change) for value in node)  # type: ignore[call-arg]
    return node
