"""The jobs of a sweep on SLURM: one per member, submitted by submitit and watched to its end.

A member whose job is still in the queue, submitted by an earlier driver, is not submitted again:
this driver watches that job. What it knows of such jobs lies in their folders, `.submitit/<job>`.
"""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from omegaconf import OmegaConf

from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import RunError
from imagen_lit.cli import user_error
from imagen_lit.run import queue, sbatch_advice, slurm_executor, sweep_watch
from imagen_lit.run.sweep_watch import Member

ORDER = "order.json"  # in a job's folder: the overrides of its member, and the launcher's settings
OTHERWISE = (
    "Set the keys under hydra.launcher as your site wants them, or hydra/launcher=joblib to run "
    "the members on this machine."
)


def launch(launcher: Any, overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
    """What each member returned. A member that left nothing has failed, with the reason."""
    executor = slurm_executor.executor(launcher.params)
    queued = _in_queue(executor.folder, [_order(launcher, words) for words in overrides])
    tasks = launcher.params["nodes"] * launcher.params["tasks_per_node"]
    jobs = [job and slurm_executor.submitted(executor.folder, job, tasks) for job in queued]
    missing = [number for number, job in enumerate(jobs) if job is None]
    submitted = _submit(launcher, executor, overrides, missing, first)
    for number, job in zip(missing, submitted, strict=True):
        jobs[number] = job
    members = _members(launcher, overrides, jobs)
    sweep_watch.introduce(members, [job is None for job in queued])
    endings = _watch(members, jobs, launcher.params)
    if endings is None:
        print(f"\n{sweep_watch.interrupted(members)}", flush=True)
        sys.exit(130)
    print(sweep_watch.summary(members, endings), flush=True)
    return [
        _result(job) or _failure(member, words, ending)
        for job, member, words, ending in zip(jobs, members, overrides, endings, strict=True)
    ]


def _watch(
    members: Sequence[Member], jobs: Sequence[Any], params: dict[str, Any]
) -> list[str] | None:
    """How each member ended, or None after Ctrl-C."""

    def remedy(reason: str) -> str | None:
        is_final = sbatch_advice.never_passes(reason)
        return sbatch_advice.advice(reason, params, sbatch_advice.nodes()) if is_final else None

    try:
        return sweep_watch.watch(members, lambda number: _ending(jobs[number]), remedy)
    except KeyboardInterrupt:
        return None


def _submit(
    launcher: Any,
    executor: Any,
    overrides: Sequence[Sequence[str]],
    numbers: Sequence[int],
    first: int,
) -> list[Any]:
    calls = [
        (
            list(overrides[number]),
            "hydra.sweep.dir",
            first + number,
            f"job_id_for_{first + number}",
            Singleton.get_state(),
        )
        for number in numbers
    ]
    if not calls:
        return []
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what it raises
            jobs: list[Any] = executor.map_array(launcher, *zip(*calls, strict=True))
    except RuntimeError as error:  # submitit's
        raise RunError(slurm_executor.refusal(str(error), launcher.params, OTHERWISE)) from error
    for number, job in zip(numbers, jobs, strict=True):
        write_json(job.paths.folder / ORDER, _order(launcher, overrides[number]))
    return jobs


def _order(launcher: Any, words: Sequence[str]) -> dict[str, Any]:
    order = {"overrides": list(words), "launcher": launcher.params}
    return dict(json.loads(json.dumps(order, default=str)))


def _in_queue(folder: Path, orders: Sequence[dict[str, Any]]) -> list[str | None]:
    """For each order the job that an earlier driver submitted for it and that is in the queue."""
    words = [order["overrides"] for order in orders]
    jobs: list[str | None] = [None] * len(orders)
    queues: dict[str, Any] = {}
    for file in sorted(folder.parent.glob(f"*/{ORDER}")):
        earlier, job = json.loads(file.read_text()), file.parent.name
        if earlier["overrides"] not in words or any(file.parent.glob("*_result.pkl")):
            continue
        root = job.partition("_")[0]
        if root not in queues:
            queues[root] = queue.entries(root) or {}
        if job not in queues[root]:
            continue
        if earlier not in orders:
            raise RunError(
                f"job {job} for {' '.join(earlier['overrides'])} is in the queue, submitted with "
                f"other settings of hydra.launcher. Type scancel {root}, then the same command."
            )
        jobs[orders.index(earlier)] = job
    return jobs


def _members(
    launcher: Any, overrides: Sequence[Sequence[str]], jobs: Sequence[Any]
) -> list[Member]:
    shared = set.intersection(*(set(words) for words in overrides))
    members = []
    for words, job in zip(overrides, jobs, strict=True):
        loader = launcher.hydra_context.config_loader
        cfg = loader.load_sweep_config(launcher.config, list(words))
        name = str(OmegaConf.select(cfg, "hydra.sweep.subdir"))
        own = " ".join(word for word in filter_overrides(words) if word not in shared)
        folder = Path(str(OmegaConf.select(cfg, "hydra.sweep.dir"))) / name
        members.append(Member(job.job_id, name, own, folder, slurm_executor.log(job)))
    return members


def _result(job: Any) -> JobReturn | None:
    """What a member returned, if all of its tasks have: the failure, if one failed."""
    tasks = [job.task(number) for number in range(job.num_tasks)]
    if not all(task.paths.result_pickle.exists() for task in tasks):
        return None
    results: list[JobReturn] = [task.result() for task in tasks]
    return next((each for each in results if each.status == JobStatus.FAILED), results[0])


def _ending(job: Any) -> str | None:
    result = _result(job)
    if result is None:
        return None
    if result.status == JobStatus.FAILED:
        error = result._return_value
        return f"failed: {user_error.sentence(error, list) or repr(error)}"
    return "finished"


def _failure(member: Member, words: Sequence[str], ending: str) -> JobReturn:
    error = RunError(f"{member.name} {ending}. Type the same command to continue.")
    failure = JobReturn(overrides=list(words), status=JobStatus.FAILED)
    failure.return_value = error
    return failure
