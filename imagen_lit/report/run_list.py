"""The list of runs as lines of text, for a terminal or a log file: at most 100 characters wide."""

import textwrap

from imagen_lit.report import run_columns
from imagen_lit.report.run_columns import COLUMNS
from imagen_lit.run.run_search import Listing

WIDTH, GAP, INDENT = 100, "  ", "  "
TO_THE_RIGHT = ("images/s", "loss", "changed")  # numbers stand below each other


def lines(listing: Listing, root: str, now: float) -> list[str]:
    """A heading, then the runs of each group below its name, with what went wrong."""
    rows = {
        run.name: run_columns.columns(run, listing.by_run.get(run.name, ()), now)
        for run in listing.runs
    }
    used = [name for name in COLUMNS if any(row[name] for row in rows.values())]
    sizes = {name: max(len(name), *(len(row[name]) for row in rows.values())) for name in used}
    room = WIDTH - sum(len(GAP) + size for size in sizes.values())
    names = [INDENT + run.name.rpartition("/")[2] for run in listing.runs]
    first = min(room, max(map(len, ["run", *names]), default=0))
    deep = 2 * INDENT
    text = [_line("run", dict.fromkeys(used, ""), sizes, first, heading=True)]
    for group, runs in listing.groups().items():
        text.append(f"{root}/{group}")
        for run in runs:
            name = INDENT + run.name.rpartition("/")[2]
            if len(name) > first:  # a name can be typed only if it is whole
                text.append(name)
                name = ""
            text.append(_line(name, rows[run.name], sizes, first))
            for problem in run_columns.problems(run):
                text += textwrap.wrap(problem, WIDTH, initial_indent=deep, subsequent_indent=deep)
    text += [line for note in listing.notes for line in textwrap.wrap(f"note: {note}", WIDTH)]
    return [*text, *filter(None, [run_columns.legend(rows.values())])]


def _line(
    name: str, row: dict[str, str], sizes: dict[str, int], first: int, heading: bool = False
) -> str:
    cells = [
        f"{column if heading else row[column]:{'>' if column in TO_THE_RIGHT else '<'}{size}}"
        for column, size in sizes.items()
    ]
    return GAP.join([f"{name:{first}}", *cells]).rstrip()
