"""All runs on this disk: a table on the terminal, and a page to look at, made from the run folders
alone.

Needs no network, no torch and no training; writes the page, and nothing into a run's own folder.
"""

import time
from pathlib import Path

from omegaconf import DictConfig

from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import command
from imagen_lit.report import page, run_list, runs_page
from imagen_lit.run import run_search

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
        what = f"whose name contains {match!r} " if match else ""
        return [f"there is no run {what}below {root}. {TRAIN}"]
    _refuse_other_place(root, file, [run.folder for run in listing.runs])
    chosen_folder.require_writable("page", file, file.parent)
    runs_page.write(file, listing, root, now)
    return [*run_list.lines(listing, str(root), now), f"the page: {file}"]


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
    """Print the table, and where the page is."""
    root, file = chosen_folder.of("runs", cfg.runs), arguments.path("page", cfg.page)
    print("\n".join(show(root, str(cfg.match or ""), file)))


if __name__ == "__main__":
    main()
