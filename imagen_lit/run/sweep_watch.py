"""What the driver of a sweep on SLURM prints: which jobs there are, where their output is, and one
line whenever a job does something else.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imagen_lit.basics.short_form import quantity
from imagen_lit.run import queue, status

SHORTEST, LONGEST = 2.0, 30.0  # seconds between two looks at the queue, at first and after hours
MISSED = 3  # looks in a row without the job, before it is over: a shared disk shows files late


class Member(NamedTuple):
    """A run of the sweep and its job; `log`: its standard output, beside which errors are.
    `has_status`: whether what the job does keeps a status.json."""

    job: str
    name: str
    words: str
    folder: Path
    log: Path
    has_status: bool = True


Over = Callable[[int], str | None]  # what became of a member that has left a result
# What to do about a reason that never passes; None for one that may pass.
Advice = Callable[[str], str | None]
Lost = Callable[[int], str]  # what became of a member whose job is gone, and has left no result


def introduce(members: Sequence[Member], is_new: Sequence[bool]) -> None:
    """Print the jobs, their runs and where their output goes."""
    for member, new in zip(members, is_new, strict=True):
        words = f" ({member.words})" if member.words else ""
        queued = "" if new else ", already in the queue"
        print(f"job {member.job}: {member.name}{words}{queued}")
        print(f"    its output: {member.log.with_suffix('')}.{{out,err}}", flush=True)
    print(f"to end them: scancel {' '.join(roots(members))}", flush=True)


def watch(
    members: Sequence[Member], over: Over, advice: Advice, lost: Lost | None = None
) -> list[str]:
    """Print a line per change until all members are over; how each of them ended."""
    lines: dict[int, str] = {}  # the last one of each member
    endings: dict[int, str] = {}
    misses = dict.fromkeys(range(len(members)), 0)
    started_at = time.monotonic()
    while True:
        table = _queue(members)
        for number, member in enumerate(members):
            if number in endings:
                continue
            result = over(number)
            entry = (table or {}).get(member.job)
            misses[number] = misses[number] + 1 if table is not None and entry is None else 0
            if result is None and misses[number] >= MISSED:
                settled = status.settle(member.folder)
                result = lost(number) if lost else without_result(settled, member)
            if result is not None:
                endings[number] = result
            elif table is None:
                result = "SLURM does not answer; still asking"
            elif entry is not None:
                result = doing(member, entry, own_status(member, entry), advice)
            if result is not None and lines.get(number) != result:
                lines[number] = result
                print(
                    f"{time.strftime('%H:%M:%S')} {member.job} {member.name}: {result}", flush=True
                )
        if len(endings) == len(members):
            return [endings[number] for number in range(len(members))]
        time.sleep(min(LONGEST, max(SHORTEST, (time.monotonic() - started_at) / 60)))


def _queue(members: Sequence[Member]) -> dict[str, queue.Entry] | None:
    """All jobs in the queue, or None if SLURM does not answer."""
    return queue.entries(",".join(roots(members)))


def doing(member: Member, entry: queue.Entry, run: Mapping[str, Any], advice: Advice) -> str:
    """What a job in the queue does, by SLURM and by the status of this start of its run."""
    state = run.get("state")
    if state in ("finished", "failed", "stopped"):
        return f"{state}, and its job ends"
    if entry.state == "PENDING":
        again = f" to start again (restart {entry.restarts})" if entry.restarts else ""
        remedy = advice(entry.reason)
        first = f", in vain. Type scancel {roots([member])[0]} first. {remedy}" if remedy else ""
        reason = "SLURM has not looked at it yet" if entry.reason == "None" else entry.reason
        return f"waits{again}: {reason}{first}"
    if entry.state != "RUNNING":
        return f"{entry.state.lower()} on {entry.nodes}"
    if state == "preempted":
        return f"has saved after a signal, and waits on {entry.nodes} to be started again"
    again = f", restart {entry.restarts}" if entry.restarts else ""
    return f"{'runs' if state or not member.has_status else 'starts'} on {entry.nodes}{again}"


def own_status(member: Member, entry: queue.Entry) -> dict[str, Any]:
    """The status of this start of the member; empty before it has written one."""
    written = status.read(member.folder)
    this = {"job": member.job, "restarts": entry.restarts}
    return written if this.items() <= written.items() else {}


def without_result(run: Mapping[str, Any], member: Member) -> str:
    """How a job ended that has left no result."""
    if run.get("job") != member.job:
        return f"ended before it began; {member.log.with_suffix('.err')} may say why"
    error = f": {run['error']}" if "error" in run else ""
    return f"{run['state']}{error}"


def summary(members: Sequence[Member], endings: Sequence[str]) -> str:
    """How many ended how, and where their folders are."""
    words = [ending.partition(":")[0].partition(";")[0] for ending in endings]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    folders = ", ".join(str(member.folder) for member in members)
    place = "It is in" if len(members) == 1 else "They are in"
    return f"{quantity(len(members), 'run')}: {counts}. {place} {folders}"


def interrupted(members: Sequence[Member]) -> str:
    """What a Ctrl-C of the driver means for the jobs."""
    return (
        f"no longer watching; the jobs go on. The same command watches them again; "
        f"scancel {' '.join(roots(members))} ends them"
    )


def roots(members: Sequence[Member]) -> list[str]:
    """The ids to ask SLURM for: an array's own, instead of those of its members."""
    return list(dict.fromkeys(member.job.partition("_")[0] for member in members))
