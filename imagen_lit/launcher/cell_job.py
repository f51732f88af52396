"""What a job of SLURM's does for a cell, in each of its tasks.

It trusts no exit code: what the cell needs has to be done by the ledger. And it does nothing unless
jobs.jsonl says that the cell is this job's, which it does not if the driver was killed between the
submission and its record, or if another job was submitted since.
"""

import os
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from imagen_lit.ablation import cell_log, ledger, submitted_jobs
from imagen_lit.ablation.cell import Cell
from imagen_lit.cli import command, user_error
from imagen_lit.launcher.launcher import Work
from imagen_lit.run import slurm

PATIENCE = 60.0  # seconds until a shared disk shows the record of this job


def do(work: Work, cell: Cell, needs: Sequence[Cell], runs: str, patience: float = PATIENCE) -> str:
    """Why it was left out; empty if it was done. `needs` are those cells before it that were not
    done when it was submitted, in order."""
    command.silence_hints()
    folder = Path(runs)
    if obstacle := _other_job(cell, folder, patience) or _open_need(cell, needs, folder):
        _note(folder, cell, f"{cell_log.MARK}left out: {obstacle}")
        print(f"{cell.name} is left out: {obstacle}", flush=True)
        return obstacle
    begun = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} job {slurm.job_id()}: {cell.line}"
    _note(folder, cell, f"{cell_log.BEGUN}{begun}")
    try:
        work(cell)
    except Exception as error:
        sentence = user_error.sentence(error, list)
        if sentence is None:
            traceback.print_exc()
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error: {sentence}", flush=True)
        _note(folder, cell, f"{cell_log.FAILED}{sentence}")
        raise  # so that SLURM ends the other tasks
    _note(folder, cell, cell_log.DONE)
    return ""


def _other_job(cell: Cell, runs: Path, patience: float) -> str:
    """That the cell is not this job's; empty if it is."""
    own, end = slurm.job_id(), time.monotonic() + patience
    while (job := submitted_jobs.jobs(runs).get(cell.name)) != own:
        if own in {str(row["job"]) for row in submitted_jobs.read(runs)}:
            return f"job {job} was submitted for it since"
        if time.monotonic() > end:
            return f"no driver has recorded job {own}, so the next one submits it again"
        time.sleep(1)
    return ""


def _open_need(cell: Cell, needs: Sequence[Cell], runs: Path) -> str:
    """The first cell that it needs and that is not done; empty if all are."""
    entries = ledger.of_cells(needs, runs)
    for need in (entries[name] for name in cell.needs if name in entries):
        if not need.is_done:
            why = f" ({need.why})" if need.why and need.state != ledger.FAILED else ""
            return f"it waits for {need.cell.name}, which is {need.state}{why}".replace(
                "is failed", "failed"
            )
    return ""


def _note(runs: Path, cell: Cell, line: str) -> None:
    if os.environ.get("SLURM_PROCID", "0") != "0":
        return
    file = cell_log.path(runs, cell.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        print(line, file=handle)
