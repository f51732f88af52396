"""Which share of the work is this process's, where several run the same command together.

torchrun and its likes say so by RANK, WORLD_SIZE and LOCAL_RANK; srun by SLURM_PROCID,
SLURM_STEP_NUM_TASKS and SLURM_LOCALID. The processes do not talk: each takes its share, files are
all that they exchange, and whoever finds the work complete writes what needs all of it.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from imagen_lit.basics import device, file_lock
from imagen_lit.basics.errors import InputError, RunError

ADVICE = (
    "Both draw the same images. To share them, stop one, and start all with torchrun or srun, or "
    "with RANK=0 WORLD_SIZE=2 and RANK=1 WORLD_SIZE=2 before the command"
)
Environment = Mapping[str, str]
Item = TypeVar("Item")


class Share(NamedTuple):
    """Process `rank` of so many."""

    rank: int = 0
    processes: int = 1

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Every `processes`-th item: the same whatever is done already, so no process need know how
        far the others are."""
        return items[self.rank :: self.processes]


def here(env: Environment = os.environ) -> Share:
    """This process's share: all, unless it was started as one of several."""
    if "WORLD_SIZE" in env:
        names = ("RANK", "WORLD_SIZE")
    elif "SLURM_STEP_NUM_TASKS" in env:  # unset if no srun started this process
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
    else:
        return Share()
    words = [env.get(name, "unset") for name in names]
    rank, count = (int(word) if word.isdecimal() else -1 for word in words)
    if not 0 <= rank < count:
        settings = ", ".join(f"{name}={word}" for name, word in zip(names, words, strict=True))
        raise InputError(
            f"this process's share of the work cannot be known from {settings}. Type the command "
            f"after srun or torchrun, or unset {names[1]} to let this one do everything."
        )
    return Share(rank, count)


def own_device(name: str, env: Environment = os.environ) -> str:
    """`auto`, where a machine has several accelerators, is the one of this process's number among
    those of the machine; any other name is what it says."""
    chosen = device.choose(name)
    count = device.count()
    local = env.get("LOCAL_RANK" if "WORLD_SIZE" in env else "SLURM_LOCALID", "0")
    if name != "auto" or count < 2 or here(env).processes < 2 or not local.isdecimal():
        return name
    return f"{chosen.type}:{int(local) % count}"


@contextmanager
def working(folder: Path, share: Share) -> Iterator[None]:
    """While this process draws its share into a folder, tell one that begins the same share there:
    they would do all of it twice, each without knowing of the other."""
    lock = folder / f".drawing_{share.rank}_of_{share.processes}.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock.exclusive(lock, "drawing into this folder too", ADVICE))
        except RunError as error:
            warnings.warn(str(error), stacklevel=3)
        else:
            stack.callback(lock.unlink, missing_ok=True)
        yield


@contextmanager
def finishing(lock: Path) -> Iterator[bool]:
    """Whether this process is to write what needs all of the work; of several that find it
    complete at the same moment, the first."""
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock.exclusive(lock, "finishing it", "Let it finish."))
        except RunError:
            yield False
            return
        stack.callback(lock.unlink, missing_ok=True)
        yield True
