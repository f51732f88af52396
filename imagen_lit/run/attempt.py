"""One attempt at a run, from its start to its end, however it ends.

While the block runs, the folder is locked, status.json is up to date, and the preemption signals of
a SLURM job are recorded until the training can act on them. Outside SLURM, a start that is refused
leaves nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.cli import user_error
from imagen_lit.run import lock, run_folder, slurm, status


@contextmanager
def attempt(folder: Path, cfg: DictConfig) -> Iterator[None]:
    """Refuse a folder with other settings or in use; otherwise hold it while the block runs."""
    run_folder.refuse_other_settings(folder, cfg)
    status.refuse_beside_a_job(folder)
    lock.take(folder)
    with slurm.record_signals(), lock.exclusive(folder):
        run_folder.release_failed_claim(folder)
        try:
            with status.tracked(folder, _in_words):
                yield
        except Exception:
            if not slurm.in_job():  # where the status may be all that a person gets to see
                run_folder.remove_unclaimed(folder)
            raise


def _in_words(error: Exception) -> str:
    return user_error.sentence(error, list) or f"{type(error).__name__}: {error}"
