"""The checkpoints of a run on disk: `checkpoints/<images seen>.ckpt`, each absent or complete.

A checkpoint is written atomically, so a kill or a full disk costs at most the newest one. Every
part of the file has a checksum; the newest *good* checkpoint is found by verifying them. The last
few are kept, and one for every so many images. Weights that a run never changes, of a network with
adapters, are written once, into `checkpoints/frozen.ckpt`; `read` joins them.
"""

import errno
import shutil
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError

FOLDER, FROZEN = "checkpoints", "frozen.ckpt"
# The file could not be opened just now, which says nothing about its content.
TRANSIENT = (errno.EACCES, errno.EPERM, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
GO_ON = "Move it out of its folder to go on from the checkpoint before it, if there is one."
VALIDATION_PENDING = "validation_pending"  # the key of a checkpoint saved during a validation


def path(run: Path, images: int) -> Path:
    """The file of the checkpoint after this many images."""
    return Path(run) / FOLDER / f"{images:012d}.ckpt"


def saved(run: Path) -> list[Path]:
    """All checkpoints of a run, good or not, the newest last."""
    files = (Path(run) / FOLDER).glob("*.ckpt")
    return sorted(f for f in files if f.stem.isdecimal())


def images(file: Path) -> int:
    """After how many images a checkpoint was saved."""
    return int(file.stem)


def newest_good(run: Path) -> Path | None:
    """The newest checkpoint that can be read, with a warning for every newer one; None if there
    are none."""
    files = saved(run)
    for file in reversed(files):
        problem = damage(file)
        if problem is None:
            return file
        then = "" if file == files[0] else "; the one before it is tried"
        warnings.warn(f"the checkpoint {file} is damaged ({problem}){then}", stacklevel=2)
    if files:
        raise InputError(
            f"no checkpoint in {Path(run) / FOLDER} can be read ({len(files)} damaged): there is "
            "nothing to draw with, or to go on from. Restore one from a copy; or remove that "
            "folder, and train from the beginning."
        )
    return None


def good(run: Path, images: int | None = None) -> Path | None:
    """The checkpoint after so many images, which must be readable; of None, the newest good one."""
    if images is None:
        return newest_good(run)
    file = path(run, images)
    if not file.exists():
        there = ", ".join(str(int(each.stem)) for each in saved(run))
        raise InputError(
            f"the run {run} has no checkpoint after {images} images. It has: {there or 'none'}. "
            "Choose one of them."
        )
    if problem := damage(file):
        raise InputError(
            f"the checkpoint {file} is damaged ({problem}). Choose another one of that run."
        )
    return file


@rank_zero_only
def set_aside_newer(run: Path, after: int) -> None:
    """Rename to `.damaged` every checkpoint newer than the one that a run resumes from, so that
    pruning no longer counts it. Half-written files of killed starts, on any host, are removed.
    """
    for leftover in (Path(run) / FOLDER).glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    for file in saved(run):
        if images(file) > after:
            file.replace(file.with_suffix(".damaged"))


def damage(file: Path) -> str | None:
    """What is wrong with a file; None if it opens and every part is as it was written."""
    try:
        with zipfile.ZipFile(file) as archive:
            part = archive.testzip()
        if part is not None:
            return f"{part} is not what was written"
        if not isinstance(read(file), dict):
            return "it holds no mapping"
    except (MemoryError, InputError):
        raise
    except Exception as error:  # one wrong bit in a zip's directory raises any of a dozen classes
        if isinstance(error, OSError) and error.errno in TRANSIENT:
            raise
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return None


def read(file: Path) -> dict[str, Any]:
    """Load tensors and numbers only, nothing executable."""
    content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    if isinstance(content, dict) and "frozen" in content:
        there = _read_frozen(file.with_name(FROZEN))
        content["state_dict"] |= {name: there[name.partition(".")[2]] for name in content["frozen"]}
    return content


@rank_zero_only
def write_frozen(run: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Write what all checkpoints of a run leave out, by its names in the denoiser."""
    write({"state_dict": dict(weights)}, path(run, 0).with_name(FROZEN))


def _read_frozen(file: Path) -> Mapping[str, torch.Tensor]:
    if not file.is_file():
        raise InputError(
            f"{file} is missing, which holds the weights that the checkpoints beside it leave out. "
            "Restore it from a copy of the run."
        )
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
    except (RuntimeError, UnpicklingError, LookupError, TypeError) as error:
        raise InputError(
            f"{file} is damaged, which holds the weights that the checkpoints beside it leave out. "
            "Restore it from a copy of the run."
        ) from error


def weights(file: Path, network: torch.nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    """The weights of a network in a checkpoint, by their names without the prefix; a file that
    lacks any, or holds others, is refused."""
    there = read(file).get("state_dict")
    there = there if isinstance(there, dict) else {}
    # Earlier versions had the clock among the weights.
    names = [k for k in there if str(k).startswith(prefix) and k != "images_seen"]
    there = {str(k).removeprefix(prefix): there[k] for k in names}
    if differing := differing_weights(network, there):
        raise InputError(
            f"the checkpoint {file} is damaged or from another version: {len(differing)} weights "
            f"are not those of its config.yaml, among them {', '.join(differing[:3])}. {GO_ON}"
        )
    return there


def differing_weights(network: torch.nn.Module, there: Mapping[str, Any]) -> list[str]:
    """The names of weights that only one of the two has, or that have another shape there."""
    here = network.state_dict()
    return [
        name
        for name in sorted({*here, *there})
        if name not in here or getattr(there.get(name), "shape", None) != here[name].shape
    ]


def has_pending_validation(file: Path) -> bool:
    """Whether a run that resumes from it must repeat an interrupted validation."""
    return bool(read(file).get(VALIDATION_PENDING))


def write(content: dict[str, Any], file: Path) -> None:
    """Write in row-major order, whatever memory format a device computes in: FSDP loads the bytes
    without their strides."""
    try:
        with atomic_write(file) as handle:
            torch.save(_map_tensors(content, lambda tensor: tensor.cpu().contiguous()), handle)
    except RuntimeError as error:  # torch does not say why its writer stopped
        if shutil.disk_usage(file.parent).free < 2**20 or isinstance(error.__context__, OSError):
            raise OSError(28, f"No space left on device while writing {file}") from error
        raise


def prune(run: Path, keep_last: int, keep_every: int | None, keep_at: Sequence[int] = ()) -> None:
    """Remove all but the `keep_last` newest, the first of every `keep_every` images, and the first
    after each of `keep_at` images."""
    files = saved(run)
    keep = set(files[-keep_last:])
    if keep_every is not None:
        first = {images(file) // keep_every: file for file in reversed(files)}
        keep |= {file for number, file in first.items() if number > 0}
    for count in keep_at:
        keep |= set([file for file in files if images(file) >= count][:1])
    for file in files:
        if file not in keep:
            file.unlink(missing_ok=True)


class AtomicCheckpointIO(CheckpointIO):
    """Lightning's access to the disk: complete files only and, if `asynchronous`, from a second
    thread.

    That thread writes a copy made in memory, one file after the other. An error there is raised at
    the next call.
    """

    def __init__(self, asynchronous: bool = False) -> None:
        self.asynchronous = asynchronous
        self._thread: ThreadPoolExecutor | None = None
        self._writing: Future[None] | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write, or hand a copy to the thread that writes."""
        self.finish()
        if not self.asynchronous:
            write(checkpoint, Path(path))
            return
        self._thread = self._thread or ThreadPoolExecutor(max_workers=1)
        self._writing = self._thread.submit(write, _map_tensors(checkpoint, _copy), Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """See `read`."""
        return read(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove the file, if it exists."""
        Path(path).unlink(missing_ok=True)

    def finish(self) -> None:
        """Wait for the file that is being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def teardown(self) -> None:
        """Finish, and end the thread."""
        try:
            self.finish()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", copy=True)


def _map_tensors(node: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same dictionaries and lists, with each tensor changed."""
    if isinstance(node, torch.Tensor):
        return change(node)
    if isinstance(node, dict):
        return {key: _map_tensors(value, change) for key, value in node.items()}
    if isinstance(node, Sequence) and not isinstance(node, str):
        return type(node)(_map_tensors(value, change) for value in node)  # type: ignore[call-arg]
    return node
