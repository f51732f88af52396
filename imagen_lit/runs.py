"""All runs on this disk: a table on the terminal, and a page to look at, made from the run folders
alone.

Needs no network, no torch and no training; writes the page, and nothing into a run's own folder.
"""

import time
from pathlib import Path
from types import NoneType
from typing import Any

from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.printable import printable
from imagen_lit.cli import command
from imagen_lit.report import deviation_table, page, run_list, runs_page
from imagen_lit.run import run_facts, run_queue, run_search

PAGES = "index.html", "matches.html"  # of all runs, and of those that match, in their folder
MOST = 20  # names that are listed where none matches
TRAIN = "Type python -m imagen_lit.train, or make demo."


def show(root: Path, match: str, file: Path) -> list[str]:
    """Write the page of the runs below `root` whose name contains `match`; the table's lines."""
    if not root.is_dir():
        raise InputError(
            f"there is no folder {root}. Train a first run with python -m imagen_lit.train, or set "
            "runs=... to the folder that holds your runs."
        )
    listing, now = run_search.search(root, match), time.time()
    if not listing.runs:
        return [_no_run(root, match), *(f"note: {note}" for note in listing.notes)]
    listing.runs[:] = run_queue.corrected(listing.runs)
    _refuse_other_place(root, file, [run.folder for run in listing.runs])
    chosen_folder.require_writable("page", file, file.parent)
    runs_page.write(file, listing, root, now)
    return [*run_list.lines(listing, str(root), now), f"the page: {file}"]


def deviations(folder: Path) -> list[str]:
    """How the run in a folder differs from the paper, as lines of Markdown."""
    run = run_facts.read(folder, str(folder))
    if not run.settings:
        raise InputError(
            f"deviations={folder} holds no run's config.yaml that can be read. Name the folder of "
            "a run, such as runs/base."
        )
    return list(deviation_table.markdown(run.name, run.settings))


def _no_run(root: Path, match: str) -> str:
    names = sorted(run.name for run in run_search.search(root).runs) if match else []
    if not names:
        return f"there is no run below {root}. {TRAIN}"
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return (
        f"there is no run whose name contains {match!r} below {root}{did_you_mean(match, names)}. "
        f"There are {', '.join(names[:MOST])}{more}. Set match=... to a part of a name."
    )


def _match(text: Any) -> str:
    if type(text) not in (str, int, float, NoneType):
        raise InputError(
            f"match={text!r} is no part of a name. Set match=sweep/demo, for example; a name with "
            "brackets or braces needs quotes."
        )
    return "" if text is None else str(text)


def _refuse_other_place(root: Path, file: Path, folders: list[Path]) -> None:
    """The page may lie in no run's own folder, and replaces nothing but such a page."""
    place = file.parent.resolve()
    if inside := [folder for folder in folders if folder.resolve() in (place, *place.parents)]:
        raise InputError(
            f"page={file} lies in the folder of the run {inside[0]}. Set page=... to a place "
            "outside, or runs=... to the folder that holds all runs."
        )
    if file.exists() and not (file.is_file() and page.is_kind(file, runs_page.KIND)):
        raise InputError(
            f"page={file} exists, and is not a page of runs. Set page={root / 'runs.html'}, for "
            "example."
        )


@command.main("runs")
def main(cfg: DictConfig) -> None:
    """Print the table, and where the page is; or, of one run, how it differs from the paper."""
    if cfg.deviations is not None:
        print("\n".join(deviations(arguments.path("deviations", cfg.deviations))))
        return
    root, match = chosen_folder.of("runs", cfg.runs), _match(cfg.match)
    own = root / PAGES[bool(match)]
    file = own if cfg.page is None else arguments.path("page", cfg.page)
    print("\n".join(map(printable, show(root, match, file))))


if __name__ == "__main__":
    main()
