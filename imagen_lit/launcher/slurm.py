"""One job of SLURM's for each cell, which starts when the jobs of all that it needs are over, and
one for the report, when all are.

What is in the queue already, submitted by an earlier driver, is watched and not submitted again.
"""

import contextlib
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.ablation import ledger, submitted_jobs
from imagen_lit.ablation.cell import Cell
from imagen_lit.basics.arguments import switch, whole_number
from imagen_lit.basics.errors import RunError
from imagen_lit.basics.short_form import quantity
from imagen_lit.launcher import cell_job, slurm_answer
from imagen_lit.launcher.job_request import job_request
from imagen_lit.launcher.launcher import Report, Work
from imagen_lit.run import partition_queue, queue, sbatch_advice, slurm_executor, sweep_watch
from imagen_lit.run.sweep_watch import Member

JOBS = "ablation/jobs/%j"  # in runs/: batch scripts and what the tasks print
AUTO = "auto"
REPORT = "report"  # the command of a job that does no cell


class Slurm:
    """`scale`: of the ablation, recorded with its jobs; `wait`: until all are over; `drawing_tasks`
    share each drawing. `options` are those of conf/hydra/launcher/slurm.yaml, or auto."""

    def __init__(self, scale: str, wait: bool, drawing_tasks: int, **options: Any) -> None:
        self.scale, self.wait = scale, switch("launcher.wait", wait)
        self.drawing_tasks = whole_number("launcher.drawing_tasks", drawing_tasks, 1)
        self.options = {key: value for key, value in options.items() if value != AUTO}
        self._report: Report | None = None

    def taken_up(self, runs: Path) -> dict[str, str]:
        """The jobs in the queue, by cell, for which `launch` waits."""
        return submitted_jobs.in_queue(runs) or {}

    def cancel_left(self, runs: Path, ablation: str, cells: Iterable[str]) -> None:
        """Cancel the ablation's jobs whose cells are no longer among these."""
        facts = {"ablation": ablation, "scale": self.scale}
        ours = {*cells, self._report_name(ablation)}
        for cell, job in submitted_jobs.left(runs, facts, ours).items():
            queue.ask("scancel", job)
            print(f"job {job} is cancelled: {cell} is no longer in the plan", flush=True)

    def then(self, report: Report) -> None:
        """See `Queue`."""
        self._report = report

    def outlook(self, cells: Sequence[Cell]) -> list[str]:
        """The partitions that their jobs ask for, and what is there before them."""
        requests = [job_request(cell, self.options, self.drawing_tasks) for cell in cells]
        return partition_queue.lines([each["partition"] for each in requests])

    def launch(self, cells: Sequence[Cell], work: Work, runs: str, ablation: str) -> None:
        """See `Launcher`."""
        requests = {c.name: job_request(c, self.options, self.drawing_tasks) for c in cells}
        there = self.taken_up(Path(runs))
        entries = ledger.of_cells(cells, Path(runs))  # after the queue, which jobs have left since
        cells = [cell for cell in cells if not entries[cell.name].is_done]
        taken = _without_stale(cells, there)
        slurm_answer.require([requests[cell.name] for cell in cells if cell.name not in taken])
        facts = {"ablation": ablation, "scale": self.scale, "cluster": queue.cluster()}
        jobs: dict[str, Any] = {}
        for cell in cells:
            request = {**requests[cell.name], "submitit_folder": str(Path(runs, JOBS).absolute())}
            tasks = request["nodes"] * request["tasks_per_node"]
            before = [jobs[need].job_id for need in cell.needs if need in jobs]
            if cell.name in taken:
                job = slurm_executor.submitted(
                    Path(request["submitit_folder"]), taken[cell.name], tasks
                )
            else:
                needs = _needed(cell, cells)
                job = _submit(request, before, cell_job.do, work, cell, needs, runs)
            submitted_jobs.append(Path(runs), cell.name, job.job_id, facts)
            jobs[cell.name] = job
            print(_line(cell, job.job_id, tasks, before, cell.name in taken), flush=True)
        if not jobs:
            return
        ids = [job.job_id for job in jobs.values()]
        last = self._submit_report(ids, runs, ablation, facts)
        words = " ".join([*ids, *last])
        print(f"what they print: {Path(runs, JOBS).parent}/<job>; to end them: scancel {words}")
        if self.wait:
            self._watch(cells, [jobs[cell.name] for cell in cells], requests, Path(runs))
            for job in last:  # the driver writes it now
                queue.ask("scancel", job)
        else:
            print("the same command without launcher.wait=false watches them")

    def _submit_report(
        self, before: Sequence[str], runs: str, ablation: str, facts: Mapping[str, Any]
    ) -> list[str]:
        """The job that writes the report when all these are over; that of an earlier driver, which
        waits for others, is cancelled."""
        if self._report is None:
            return []
        name = self._report_name(ablation)
        if earlier := self.taken_up(Path(runs)).get(name):
            queue.ask("scancel", earlier)
        small = Cell("build_shards", {}, name)  # which asks for one task and no GPU
        request = {**job_request(small, self.options, 1), "name": REPORT}
        request["submitit_folder"] = str(Path(runs, JOBS).absolute())
        job = str(_submit(request, before, self._report).job_id)
        submitted_jobs.append(Path(runs), name, job, facts)
        print(f"job {job}: {REPORT} (after all of them)", flush=True)
        return [job]

    def _report_name(self, ablation: str) -> str:
        """Under which its job is recorded, as a cell's is."""
        return f"ablation/{self.scale}/reports/{ablation}"

    def _watch(
        self,
        cells: Sequence[Cell],
        jobs: Sequence[Any],
        requests: Mapping[str, Mapping[str, Any]],
        runs: Path,
    ) -> None:
        members = [
            Member(
                job.job_id,
                cell.name,
                "",
                runs / cell.name,
                slurm_executor.log(job),
                cell.command == "train",
            )
            for cell, job in zip(cells, jobs, strict=True)
        ]

        def remedy(reason: str) -> str | None:
            if not sbatch_advice.never_passes(reason):
                return None
            request = max(requests.values(), key=lambda each: each["nodes"])
            return sbatch_advice.advice(reason, request, sbatch_advice.nodes(), slurm_answer.typed)

        def over(number: int) -> str | None:
            return _ending(jobs[number], cells[number], runs)

        def lost(number: int) -> str:
            return _by_ledger(cells[number], runs, members[number].log)

        try:
            sweep_watch.watch(members, over, remedy, lost)
        except KeyboardInterrupt:
            print(f"\n{sweep_watch.interrupted(members)}", flush=True)
            sys.exit(130)


def _without_stale(cells: Sequence[Cell], taken: Mapping[str, str]) -> dict[str, str]:
    """Those jobs in the queue that wait for what they need; the others, whose needs are submitted
    again now, are cancelled."""
    current: dict[str, str] = {}
    submitted = {cell.name for cell in cells if cell.name not in taken}
    for cell in cells:
        if cell.name in taken and submitted.isdisjoint(cell.needs):
            current[cell.name] = taken[cell.name]
        elif cell.name in taken:
            submitted.add(cell.name)
            queue.ask("scancel", taken[cell.name])
    return current


def _submit(request: Mapping[str, Any], before: Sequence[str], *call: Any) -> Any:
    """A job that makes this call when the jobs before it are over, however they ended."""
    executor = slurm_executor.executor(request)
    if before:
        executor.update_parameters(slurm_dependency=f"afterany:{':'.join(before)}")
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it raises
            return executor.submit(*call)
    except RuntimeError as error:  # submitit's
        raise RunError(slurm_answer.refusal(str(error), request)) from error


def _needed(cell: Cell, cells: Sequence[Cell]) -> list[Cell]:
    """Those of the cells that it needs, and that these need in turn, in their order."""
    names = set(cell.needs)
    for each in reversed(cells):
        if each.name in names:
            names |= set(each.needs)
    return [each for each in cells if each.name in names]


def _line(cell: Cell, job: str, tasks: int, before: Sequence[str], is_taken_up: bool) -> str:
    parts = ["already in the queue"] if is_taken_up else []
    parts += [quantity(tasks, "task")] if tasks > 1 else []
    parts += [f"after {', '.join(before)}"] if before else []
    more = f" ({', '.join(parts)})" if parts else ""
    return f"job {job}: {cell.command} {cell.name}{more}"


def _ending(job: Any, cell: Cell, runs: Path) -> str | None:
    """How a job ended of which every task has left a result; None while one has not."""
    tasks = [job.task(number) for number in range(job.num_tasks)]
    if not all(task.paths.result_pickle.exists() for task in tasks):
        return None
    if not any(task.exception() for task in tasks) and (obstacle := str(job.task(0).result())):
        return f"left out: {obstacle}"
    return _by_ledger(cell, runs, slurm_executor.log(job))


def _by_ledger(cell: Cell, runs: Path, log: Path) -> str:
    entry = ledger.of_cells([cell], runs)[cell.name]
    if entry.state == ledger.MISSING and not entry.why:
        return f"ended without a word; {log.with_suffix('.err')} may say why"
    return f"{entry.state}: {entry.why}" if entry.why else entry.state
