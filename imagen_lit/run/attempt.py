"""One attempt at a run, from its start to its end, however it ends.

While the block runs, the folder is locked, status.json is up to date, and the preemption signals of
a SLURM job are recorded until the training can act on them. Until the block claims the folder it
may be refused: then, outside SLURM, a new run leaves nothing, and an earlier one is as it was. One
that claims the folder and has something to learn is recorded in attempts.jsonl.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from imagen_lit.basics import device, hardware
from imagen_lit.cli import user_error
from imagen_lit.run import attempt_log, checkpoint, lock, run_folder, slurm, status
from imagen_lit.run.attempt_log import AttemptLog
from imagen_lit.run.trainer import device_count


class Claim(Protocol):
    """Takes the fingerprint of the text encoder, and whether anything is left to learn."""

    def __call__(self, encoder: Mapping[str, str], learns: bool = True) -> None:
        """Claim the folder."""


@contextmanager
def attempt(folder: Path, cfg: DictConfig) -> Iterator[Claim]:
    """Refuse a folder with other settings or in use; otherwise hold it while the block runs. The
    block receives what claims the folder, to call when nothing is left to refuse."""
    run_folder.refuse_other_settings(folder, cfg)
    status.refuse_beside_a_job(folder)
    traces = {name: _Trace(folder / name) for name in run_folder.TRACES}
    earlier = [_Trace(folder / name) for name in run_folder.CLAIM]
    is_claimed = False
    log, images = AttemptLog(folder), _images(folder)

    def claim(encoder: Mapping[str, str], learns: bool = True) -> None:
        nonlocal is_claimed
        run_folder.claim(folder, cfg, encoder)
        is_claimed = True
        if learns:
            rank_zero_only(log.begin)()

    def end(error: str = "") -> None:
        if not log.has_begun:
            return
        state = status.read(folder).get("state", attempt_log.FAILED)
        facts = {"device": _device(cfg), "devices": device_count(cfg)}
        log.end(state, error, images=_images(folder), from_images=images, **facts)

    lock.take(folder)
    with slurm.record_signals(), lock.exclusive(folder):
        traces[status.FILE] = _Trace(folder / status.FILE)  # which the lock's last holder may write
        run_folder.release_void_claim(folder)
        try:
            with status.tracked(folder, _in_words):
                yield claim
            end()
        except BaseException as error:
            end(_in_words(error) if isinstance(error, Exception) else "")
            if not is_claimed:  # of another start's claim, nothing is touched
                _restore([each for each in earlier if each.is_gone])
            # In a job the status may be all that a person gets to see.
            if isinstance(error, Exception) and not slurm.in_job():
                run_folder.remove_unclaimed(folder)
                if not is_claimed and run_folder.exists(folder):
                    # Closing the lock's file ends the lock.
                    _restore([traces[status.FILE], traces[lock.LOCK]])
            raise


class _Trace:
    """A small file as it was before the start, or that there was none."""

    def __init__(self, file: Path) -> None:
        self.file, self.is_there = file, file.is_file()
        if self.is_there:
            self.content, self.stat = file.read_bytes(), file.stat()

    @property
    def is_gone(self) -> bool:
        """Whether it was there, and is no longer."""
        return self.is_there and not self.file.exists()

    def restore(self) -> None:
        """In place: another file of this name would not be the one that is locked."""
        if not self.is_there:
            self.file.unlink(missing_ok=True)
            return
        self.file.write_bytes(self.content)
        os.utime(self.file, ns=(self.stat.st_atime_ns, self.stat.st_mtime_ns))


@rank_zero_only
def _restore(traces: Sequence[_Trace]) -> None:
    for trace in traces:
        trace.restore()


def _images(folder: Path) -> int:
    """That its newest checkpoint has seen, by its name."""
    return max(map(checkpoint.images, checkpoint.saved(folder)), default=0)


def _device(cfg: DictConfig) -> str:
    on_cpu = cfg.trainer.get("accelerator") == "cpu"
    return hardware.name(device.choose("cpu" if on_cpu else cfg.device))


def _in_words(error: Exception) -> str:
    return user_error.sentence(error, list) or f"{type(error).__name__}: {error}"
