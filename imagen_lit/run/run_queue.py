"""What the queue knows of the runs of a listing: a job that is lost is not shown as running.

SLURM is asked about each job that may be lost, until it does not answer: a listing does not wait
for that twice. Nothing is written; the next start in the folder does that (run/status.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from imagen_lit.run import lost_job, queue
from imagen_lit.run.run_facts import RunFacts
from imagen_lit.run.state import State


def corrected(runs: Iterable[RunFacts]) -> Iterator[RunFacts]:
    """The same runs, those that a lost job has left with the state that they are in."""
    answers, here = True, cache(queue.cluster)
    for run in runs:
        state, job = run.state, run.state.job
        if answers and job is not None and state.word in lost_job.OPEN:
            end = _end(run.folder, state, job, here)
            answers = end is not None
            state = _state(state, job, end or "")
        yield replace(run, state=state)


def true_state(folder: Path, state: State) -> State:
    """The state of one run: another one, if a lost job has left it."""
    if state.job is None or state.word not in lost_job.OPEN:
        return state
    return _state(state, state.job, _end(folder, state, state.job, cache(queue.cluster)) or "")


def _end(folder: Path, state: State, job: str, here: Callable[[], str | None]) -> str | None:
    """How the job ended, empty if nothing can be said of it; None if SLURM does not answer."""
    try:
        is_ours = lost_job.is_ours(folder, state.cluster, here)
    except OSError:  # the run has been removed meanwhile
        return ""
    if state.cluster is not None and here() is None:
        return None
    return queue.end(job) if is_ours and job[:1].isdigit() else ""


def _state(state: State, job: str, end: str) -> State:
    ending = lost_job.ending(end)
    if not ending:
        return state
    return State(ending["state"], job, lost_job.reason(job, end))
