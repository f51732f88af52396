"""What is in SLURM's partitions now: whether they take jobs, their nodes, and the jobs that are in
front of a new one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from imagen_lit.basics.printable import printable
from imagen_lit.basics.short_form import quantity
from imagen_lit.run import queue

UNKNOWN = "what is in its queue now could not be asked (squeue and sinfo did not answer)"


class Partition(NamedTuple):
    """`state`: up, or SLURM's word for why no job starts there; `nodes` by what they do, in SLURM's
    words; `running` and `waiting`: jobs of anybody, each member of an array as one."""

    name: str
    is_default: bool
    state: str
    nodes: dict[str, int]
    running: int
    waiting: int

    def __str__(self) -> str:
        total = quantity(sum(self.nodes.values()), "node")
        nodes = ", ".join(f"{count} {state}" for state, count in self.nodes.items())
        jobs = f"{quantity(self.running, 'job runs', 'jobs run')} there, and {self.waiting:,} wait"
        state = self.state if self.state == "up" else f"{self.state}, so that no job starts there"
        return printable(f"the partition {self.name} is {state}; {total} ({nodes}); {jobs}")


def lines(names: Sequence[str | None]) -> list[str]:
    """A line for each of the partitions for which jobs ask; None: the site's default one. A job may
    name several, with commas."""
    there = partitions()
    if there is None:
        return [f"SLURM: {UNKNOWN}"]
    asked = {each for name in names for each in (name or "").split(",")}
    chosen = [each for each in there if each.name in asked or (each.is_default and "" in asked)]
    known = {"", *(each.name for each in there)}
    lacks = [f"there is no partition {name}" for name in sorted(asked - known)]
    return [f"SLURM: {each}" for each in [*chosen, *lacks]]


def partitions() -> list[Partition] | None:
    """All of them; None if SLURM does not answer."""
    nodes = queue.ask("sinfo", "--noheader", "--format=%P|%a|%D|%T")
    jobs = queue.ask("squeue", "--noheader", "--array", "--format=%P|%T")
    if nodes is None or jobs is None:
        return None
    return parse(nodes, jobs)


def parse(nodes: str, jobs: str) -> list[Partition]:
    """The lines of sinfo, and those of squeue."""
    found: dict[str, Partition] = {}
    states = [row for line in jobs.splitlines() if len(row := line.split("|")) == 2]
    for line in nodes.splitlines():
        if line.count("|") != 3 or not (row := line.split("|"))[2].isdigit():
            continue
        name, state = row[0].rstrip("*"), row[3].rstrip("*~#!%$@^-")
        own = [word for places, word in states if name in places.split(",")]
        empty = Partition(
            name,
            row[0].endswith("*"),
            row[1],
            {},
            sum(word in ("RUNNING", "COMPLETING") for word in own),
            own.count("PENDING"),
        )
        each = found.setdefault(name, empty)
        each.nodes[state] = each.nodes.get(state, 0) + int(row[2])
    return list(found.values())
