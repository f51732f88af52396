"""The ledger of an ablation: what has become of each cell, by the files that its command left.

    missing    nothing has been done, or it was stopped: the next start goes on
    queued     a job of SLURM's waits to do it
    running    a process is at it
    failed     its last start failed, and why
    done       what its settings ask for is there
    done with other code   the same, made by another version of this package's files

Nothing is written, and no cell that cannot be read stands in the way of the others. A folder of
another ablation's cells is read in the same way, because a cell's name is the same in all of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagen_lit.ablation import cell_log, made_files, preparation, submitted_jobs
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import EVALUATE
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics.errors import InputError
from imagen_lit.run import attempt_log, evaluation_facts, run_facts, run_queue, state
from imagen_lit.run.attempt_log import Attempt
from imagen_lit.run.checkpoint_digest import checkpoint_digest
from imagen_lit.run.code_digest import code_digest

MISSING, QUEUED, RUNNING, FAILED = "missing", "queued", "running", "failed"
DONE, OTHER_CODE = "done", "done with other code"
STATES = (MISSING, QUEUED, RUNNING, FAILED, DONE, OTHER_CODE)
OVER = ("stopped", "preempted", "killed")  # a run that goes on where it was


@dataclass(frozen=True)
class Cost:
    """Of all attempts together; `kwh`: None where none was measured."""

    seconds: float = 0.0
    images: int = 0
    kwh: float | None = None


@dataclass(frozen=True)
class Entry:
    """`why`: in words, what it waits for, how far it is, or why it failed; may be empty."""

    cell: Cell
    state: str
    why: str = ""
    attempts: Sequence[Attempt] = ()
    cost: Cost = Cost()

    @property
    def is_done(self) -> bool:
        """Whether others that need it can begin."""
        return self.state in (DONE, OTHER_CODE)


def read(plan: Plan, runs: Path) -> dict[str, Entry]:
    """The entry of each cell, by its name."""
    return of_cells(plan.cells.values(), runs)


def of_cells(cells: Iterable[Cell], runs: Path) -> dict[str, Entry]:
    """The entry of each of these cells, which come after those that they need; one that they need
    and that is not among them counts as done."""
    entries: dict[str, Entry] = {}
    jobs = submitted_jobs.states(runs)
    for cell in cells:
        try:
            entry = _entry(cell, runs, [entries[name] for name in cell.needs if name in entries])
        except Exception as error:  # of its files, which anybody may have spoilt
            reason = f"{type(error).__name__}: {error}"
            entry = Entry(cell, FAILED, f"its folder cannot be read ({reason})")
        if entry.state in (MISSING, FAILED) and (word := jobs.get(cell.name)):
            entry = replace(entry, state=word[0], why=word[1])
        entries[cell.name] = entry
    return entries


def _entry(cell: Cell, runs: Path, needs: Sequence[Entry]) -> Entry:
    if cell.command == "train":
        entry = _training(cell, runs / cell.name)
    elif cell.command == EVALUATE:
        entry = _drawing(cell, runs / cell.name, needs)
    else:
        entry = _made(cell, runs)
    if entry.state != MISSING or entry.why:
        return entry
    if failure := cell_log.failure(runs, cell.name):
        return replace(entry, state=FAILED, why=failure)
    waits = [each for each in needs if not each.is_done]
    failed = [each.cell.name for each in waits if each.state == FAILED or "failed" in each.why]
    if failed:
        return replace(entry, why=f"waits for {failed[0]}, which failed")
    return replace(entry, why=f"waits for {waits[0].cell.name}" if waits else "")


def _training(cell: Cell, folder: Path) -> Entry:
    attempts = attempt_log.read(folder)
    images, wanted = run_facts.newest_checkpoint(folder), _wanted_images(cell, folder)
    entry = Entry(cell, MISSING, "", attempts, _cost(attempts, images))
    now = run_queue.true_state(folder, state.current(folder))
    extent = f"{images:,} of {wanted:,} images" if wanted else f"{images:,} images"
    if now.word == "finished" and (wanted is None or images >= wanted):
        return _done(entry)
    if now.word in ("running", "preempted") and now.job is not None:
        return replace(entry, state=RUNNING, why=f"job {now.job}, {extent}")
    if now.word == "running":
        return replace(entry, state=RUNNING, why=extent)
    if now.word in ("failed", "unknown"):
        return replace(entry, state=FAILED, why=now.error or "its status.json does not say why")
    if now.word in OVER:
        return replace(entry, why=f"{now.word} after {extent}")
    return replace(entry, why=f"has seen {extent}" if now.word == "finished" else "")


def _drawing(cell: Cell, folder: Path, needs: Sequence[Entry]) -> Entry:
    attempts = attempt_log.read(folder)
    entry = Entry(cell, MISSING, "", attempts, _cost(attempts, 0))
    last = attempts[-1] if attempts else None
    if last and not last.end and attempt_log.is_running(folder):
        return replace(entry, state=RUNNING)
    weights, wanted = evaluation_facts.weights_of(folder), _current_weights(cell, needs)
    measures = preparation.measures(cell.settings)
    for attempt in reversed(attempts):
        end = attempt.end
        if attempt.state == attempt_log.FINISHED and end.get("measures") == measures:
            if weights and weights == end.get("weights") == wanted:
                return _done(entry, attempt)
    if last and last.state == attempt_log.FAILED:
        return replace(entry, state=FAILED, why=str(last.end.get("error", "")))
    if last and not last.end:
        return replace(entry, why="killed")
    if weights and wanted and weights != wanted:
        return replace(entry, why="its training has other weights now")
    return replace(entry, why=last.state if last and last.state == "stopped" else "")


def _made(cell: Cell, runs: Path) -> Entry:
    entry = Entry(cell, MISSING)
    problem = made_files.missing(cell)
    if problem is None:
        return replace(entry, state=DONE)
    return entry


def _done(entry: Entry, attempt: Attempt | None = None) -> Entry:
    last = attempt or attempt_log.finishing(entry.attempts)
    is_other = last is not None and last.start.get("code") != code_digest()
    return replace(entry, state=OTHER_CODE if is_other else DONE)


def _current_weights(cell: Cell, needs: Sequence[Entry]) -> dict[str, Any] | None:
    """The digest of what each stage would draw with now; None where a training is not done."""
    trained = [each for each in needs if each.cell.command == "train"]
    if not all(each.is_done for each in trained):
        return None
    weights = {}
    for key, run in cell.settings.items():
        if key.startswith("cascade.") and key.endswith(".run"):
            stage = key.split(".")[1]
            folder = Path(str(run))
            newest = run_facts.newest_checkpoint(folder)
            images = cell.settings.get(f"cascade.{stage}.images") or newest
            file = folder / "checkpoints" / f"{int(images):012d}.ckpt"
            if not file.is_file():
                raise InputError(
                    f"{folder} has no checkpoint after {images} images, which this drawing needs. "
                    f"Move {folder} away, and the same command trains it again and keeps it."
                )
            weights[stage] = checkpoint_digest(file)
    return weights


def _wanted_images(cell: Cell, folder: Path) -> int | None:
    if (images := cell.settings.get("stage.images")) is not None:
        return int(images)
    return run_facts.read_total(folder)


def _cost(attempts: Sequence[Attempt], images: int) -> Cost:
    energies = [each.kwh for each in attempts if each.kwh is not None]
    seconds = sum(each.seconds for each in attempts)
    return Cost(seconds, images, sum(energies) if energies else None)
